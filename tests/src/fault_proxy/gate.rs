//! A token service and the guard that asks for its tokens, as
//! <https://distribution.github.io/distribution/spec/auth/token/> has them; each token ends
//! after a number of requests.

use http_body_util::Full;
use hyper::{
    Request, Response,
    body::Bytes,
    header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE},
};

use super::text;

/// Lets only requests with a living token through.
#[derive(Debug, Clone)]
pub struct Gate {
    /// The `Authorization` header that the token service takes.
    login: String,
    /// How many requests a token is good for.
    uses: usize,
    issued: usize,
    left: usize,
}

impl Gate {
    /// A gate for one login, in the form of an `Authorization` header.
    pub fn new(login: &str, uses: usize) -> Self {
        Self {
            login: login.to_owned(),
            uses,
            issued: 0,
            left: 0,
        }
    }

    /// The answer, if the request goes no further.
    pub(super) fn judge<B>(&mut self, request: &Request<B>) -> Option<Response<Full<Bytes>>> {
        let header = |name| {
            let value = request.headers().get(name);
            value
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let token = format!("Bearer planted-token-{}", self.issued);
        if request.uri().path() == "/token" {
            if header(AUTHORIZATION) != self.login {
                return Some(answer(401, ""));
            }
            self.issued += 1;
            self.left = self.uses;
            let token = format!("planted-token-{}", self.issued);
            return Some(answer(
                200,
                &format!(r#"{{"token":"{token}","expires_in":3600}}"#),
            ));
        }
        if self.left > 0 && header(AUTHORIZATION) == token {
            self.left -= 1;
            return None;
        }
        let mut refusal = answer(
            401,
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"no token"}]}"#,
        );
        let host = header(HOST);
        let challenge = format!(r#"Bearer realm="http://{host}/token",service="gate",scope="all""#);
        if let Ok(challenge) = challenge.parse() {
            refusal.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        Some(refusal)
    }
}

fn answer(status: u16, body: &str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(text(body));
    *answer.status_mut() = status.try_into().expect("it is a status");
    answer
}
