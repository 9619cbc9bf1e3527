//! How an image was built, as SLSA provenance (<https://slsa.dev/spec/v1.0/provenance>): who built
//! it, from what, asked for what. No times: equal builds have equal statements.

use std::collections::BTreeMap;

use oci_spec::image::Digest;
use serde_json::{Value, json};

use crate::sign::Statement;

const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";

/// A build of an image.
#[derive(Debug, Clone, Default)]
pub struct Provenance {
    /// Who built it, as a URI.
    pub builder: String,
    /// How it was built, as a URI that says what the parameters mean.
    pub build_type: String,
    /// What the build was asked for.
    pub parameters: BTreeMap<String, String>,
    /// What went in.
    pub dependencies: Vec<ResolvedDependency>,
    /// The run of the builder, as it names it.
    pub invocation: Option<String>,
}

/// Something that went into a build, such as its source at a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedDependency {
    /// Where it is from.
    pub uri: String,
    /// Such as `gitCommit` or `sha256`.
    pub algorithm: String,
    /// In hexadecimal digits.
    pub digest: String,
}

/// A value of a provenance that was refused.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ProvenanceError(String);

impl Provenance {
    /// The statement about an image.
    ///
    /// # Errors
    /// A URI or a digest is none.
    pub fn statement(
        &self,
        name: Option<&str>,
        image: &Digest,
    ) -> Result<Statement, ProvenanceError> {
        let uris = [&self.builder, &self.build_type].into_iter();
        let uris = uris.chain(self.dependencies.iter().map(|dependency| &dependency.uri));
        for uri in uris {
            if !uri.contains(':') || uri.contains(char::is_whitespace) {
                let problem = format!("{uri:?} is not a URI such as https://ci.example/builder");
                return Err(ProvenanceError(problem));
            }
        }
        let mut dependencies = Vec::new();
        for ResolvedDependency {
            uri,
            algorithm,
            digest,
        } in &self.dependencies
        {
            if digest.is_empty() || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                let problem = format!("{uri}: {digest:?} is not a digest in hexadecimal digits");
                return Err(ProvenanceError(problem));
            }
            dependencies.push(json!({"uri": uri, "digest": {algorithm: digest}}));
        }
        let mut run = json!({"builder": {"id": self.builder}});
        if let Some(invocation) = &self.invocation {
            run["metadata"] = json!({"invocationId": invocation});
        }
        let predicate: Value = json!({
            "buildDefinition": {
                "buildType": self.build_type,
                "externalParameters": self.parameters,
                "resolvedDependencies": dependencies,
            },
            "runDetails": run,
        });
        Ok(Statement::new(name, image, PREDICATE_TYPE, predicate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_uri_or_digest_is_refused() {
        let image = crate::digest::Blob::new(Vec::new()).digest;
        let mut provenance = Provenance {
            builder: "https://ci.example".into(),
            build_type: "urn:x:1".into(),
            ..Provenance::default()
        };
        let statement = provenance.statement(Some("web"), &image).unwrap();
        assert!(statement.is_about(&image));
        provenance.dependencies.push(ResolvedDependency {
            uri: "git+https://git.example/web".into(),
            algorithm: "gitCommit".into(),
            digest: "main".into(),
        });
        let error = provenance.statement(None, &image).unwrap_err().to_string();
        assert!(error.contains("\"main\" is not a digest"), "{error}");
        provenance.builder = "me".into();
        assert!(provenance.statement(None, &image).is_err());
    }
}
