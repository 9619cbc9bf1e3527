//! The credentials of the kubeconfig's user, where the client takes them less
//! kindly than kubectl does.

use std::fs;

use kube::config::AuthInfo;

/// Reads a token file that has white space around the token, such as the line
/// end that an editor leaves: in a header it is not allowed. Without any, the
/// client reads the file itself, and again when the token is renewed.
pub(super) fn trim_token(auth: &mut AuthInfo) {
    let Some(file) = auth.token_file.as_ref().filter(|_| auth.token.is_none()) else {
        return;
    };
    // A file that cannot be read is the client's to complain about.
    let text = fs::read_to_string(file).unwrap_or_default();
    if text.trim() != text {
        auth.token = Some(text.trim().to_owned().into());
    }
}

/// Where the credentials come from, for messages.
pub(super) fn origin(auth: &AuthInfo) -> String {
    if let Some(exec) = &auth.exec {
        let command = exec.command.as_deref().unwrap_or_default();
        format!("the plugin \"{command}\"")
    } else if let Some(file) = &auth.token_file {
        format!("the token file {file}")
    } else if let Some(file) = &auth.client_certificate {
        format!("the client certificate {file}")
    } else {
        "the user of this context".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(text: &str) -> AuthInfo {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let mut auth = AuthInfo {
            token_file: Some(file.path().display().to_string()),
            ..AuthInfo::default()
        };
        trim_token(&mut auth);
        auth
    }

    #[test]
    fn a_line_end_is_no_part_of_a_token() {
        assert!(with_file("abc\n").token.is_some());
        // The client's own reading renews the token: it is left alone.
        assert!(with_file("abc").token.is_none());
    }
}
