//! Access to the API server, in the form that every client reads. JSON is
//! YAML, so no emitter is needed.

use std::path::Path;

use serde_json::json;

/// A client's own certificate, as files on its node.
#[must_use]
pub fn for_component(server: &str, pki: &Path, name: &str) -> String {
    let file = |suffix: &str| pki.join(format!("{name}.{suffix}"));
    pretty(
        "klab",
        &json!({ "server": server, "certificate-authority": pki.join("ca.crt") }),
        &json!({ "client-certificate": file("crt"), "client-key": file("key") }),
    )
}

/// The administrator's, with everything in one file. `context` names the
/// cluster, the user and the context.
#[must_use]
pub fn for_admin(
    context: &str,
    server: &str,
    authority: &str,
    certificate: &str,
    key: &str,
) -> String {
    pretty(
        context,
        &json!({ "server": server, "certificate-authority-data": base64(authority) }),
        &json!({ "client-certificate-data": base64(certificate), "client-key-data": base64(key) }),
    )
}

/// A `ByteString`'s JSON form is base64.
fn base64(text: &str) -> serde_json::Value {
    json!(k8s_openapi::ByteString(text.as_bytes().to_vec()))
}

fn pretty(context: &str, cluster: &serde_json::Value, user: &serde_json::Value) -> String {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": context, "cluster": cluster }],
        "users": [{ "name": context, "user": user }],
        "contexts": [{ "name": context, "context": { "cluster": context, "user": context } }],
        "current-context": context,
    });
    format!("{config:#}\n")
}
