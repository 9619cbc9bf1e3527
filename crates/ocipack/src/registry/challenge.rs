//! What a registry asks for when it says 401 (RFC 9110, 11.6.1;
//! <https://distribution.github.io/distribution/spec/auth/token/>).

use http_auth::ChallengeParser;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// A way to authenticate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

/// The strongest of the ways that a response offers and that are known here.
pub(crate) fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let mut basic = None;
    for value in headers.get_all(WWW_AUTHENTICATE) {
        let Ok(value) = value.to_str() else { continue };
        for challenge in ChallengeParser::new(value) {
            let Ok(challenge) = challenge else { break };
            let parameter = |name: &str| {
                let mut parameters = challenge.params.iter();
                let found = parameters.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
                Some(found.1.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("bearer")
                && let Some(realm) = parameter("realm")
            {
                return Some(Challenge::Bearer {
                    realm,
                    service: parameter("service"),
                    scope: parameter("scope"),
                });
            }
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Challenge::Basic);
            }
        }
    }
    basic
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, value.parse().unwrap());
        challenge(&headers)
    }

    #[test]
    fn bearer_comes_before_basic() {
        let bearer = Challenge::Bearer {
            realm: "https://auth.example/token".into(),
            service: Some("registry.example".into()),
            scope: Some("repository:web:pull,push".into()),
        };
        let text = r#"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:web:pull,push""#;
        assert_eq!(parse(text), Some(bearer.clone()));
        assert_eq!(parse(&format!(r#"Basic realm="x", {text}"#)), Some(bearer));
        assert_eq!(
            parse(r#"basic realm="Registry Realm""#),
            Some(Challenge::Basic)
        );
        for none in ["Negotiate", "Bearer service=\"x\"", "\"", "Bearer realm="] {
            assert_eq!(parse(none), None, "{none}");
        }
    }
}
