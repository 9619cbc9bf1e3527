//! Ways to a cluster: contexts, tokens, certificates, plugins, impersonation,
//! proxies.

#[path = "kapply_access/permissions.rs"]
mod permissions;

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command, time::Duration};

use e2e::{Namespace, Proxy, Ran, Shared};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A namespace with an account that may do everything to config maps there,
/// and the cluster's kubeconfig to make others from.
struct Place {
    shared: Shared,
    namespace: Namespace,
    admin: Value,
    folder: TempDir,
}

impl Place {
    fn new(prefix: &str) -> Self {
        let shared = Shared::get();
        let namespace = Namespace::create(&shared, prefix);
        let words = ["config", "view", "--raw", "-o", "json"];
        let admin = serde_json::from_str(&shared.kubectl(&words, "").exits(0).stdout).unwrap();
        let place = Self {
            shared,
            namespace,
            admin,
            folder: tempfile::tempdir().unwrap(),
        };
        place.grant(&json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}));
        place
    }

    /// Lets the account `robot` do this in the namespace.
    fn grant(&self, rule: &Value) {
        let name = &self.namespace.name;
        let meta = json!({"name": "robot"});
        let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta, "rules": [rule]},
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta,
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "robot"},
             "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": name}]},
        ]});
        self.shared
            .kubectl(&["-n", name, "apply", "-f", "-"], &objects.to_string())
            .exits(0);
    }

    fn token(&self) -> String {
        let words = ["-n", &self.namespace.name, "create", "token", "robot"];
        let ran = self.shared.kubectl(&words, "").exits(0);
        ran.stdout.trim().to_owned()
    }

    fn robot(&self) -> String {
        format!("system:serviceaccount:{}:robot", self.namespace.name)
    }

    fn server(&self) -> &str {
        self.admin["clusters"][0]["cluster"]["server"]
            .as_str()
            .unwrap()
    }

    /// A kubeconfig whose only user is this one.
    fn kubeconfig(&self, user: Value) -> PathBuf {
        let mut config = self.admin.clone();
        config["users"][0]["user"] = user;
        self.file("kubeconfig", &config.to_string())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Applies an object with this kubeconfig.
    fn apply(&self, kubeconfig: &PathBuf, object: &Value, flags: &[&str]) -> Ran {
        let mut command = self.command(kubeconfig, flags);
        e2e::run(&mut command, &object.to_string())
    }

    fn command(&self, kubeconfig: &PathBuf, flags: &[&str]) -> Command {
        let words = ["apply", "-n", &self.namespace.name, "-f", "-"];
        let mut command = self.shared.kapply_command(&[&words[..], flags].concat());
        command.env("KUBECONFIG", kubeconfig);
        command
    }
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}})
}

fn secret() -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "hunter2-is-hidden"}})
}

#[test]
fn tokens_and_token_files() {
    let place = Place::new("token");
    let token = place.token();
    let by_token = place.kubeconfig(json!({"token": token}));
    place.apply(&by_token, &config_map("token"), &[]).exits(0);
    let file = place.file("token", &format!("{token}\n"));
    let by_file = place.kubeconfig(json!({"tokenFile": file}));
    place.apply(&by_file, &config_map("file"), &[]).exits(0);
    place
        .apply(&by_token, &secret(), &[])
        .fails_naming(2, &[&place.robot(), "secrets"]);
}

#[test]
fn a_wrong_token_is_named_as_such() {
    let place = Place::new("wrong");
    let wrong = place.kubeconfig(json!({"token": "not-a-token"}));
    let ran = place
        .apply(&wrong, &config_map("c"), &[])
        .fails_naming(2, &[place.server(), "credentials", "not accepted"]);
    assert!(!ran.stderr.contains("not-a-token"), "{ran}");
    let gone = place.kubeconfig(json!({"tokenFile": "/no/such/token"}));
    place
        .apply(&gone, &config_map("c"), &[])
        .fails_naming(2, &["cannot log in", "/no/such/token"]);
}

#[test]
fn a_plugin_gives_a_token_or_a_certificate() {
    let place = Place::new("plugin");
    let exec = |status: &Value| {
        let credential = json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status});
        let script = place.file(
            "plugin",
            &format!("#!/bin/sh\ncat <<'END'\n{credential}\nEND\n"),
        );
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        place.kubeconfig(
            json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1",
            "command": script, "interactiveMode": "Never"}}),
        )
    };
    let by_token = exec(&json!({"token": place.token()}));
    place.apply(&by_token, &config_map("token"), &[]).exits(0);
    let user = &place.admin["users"][0]["user"];
    let pem = |key: &str| {
        let encoded = user[key].as_str().unwrap();
        let mut command = Command::new("base64");
        e2e::run(command.arg("-d"), encoded).exits(0).stdout
    };
    let certificate = json!({"clientCertificateData": pem("client-certificate-data"), "clientKeyData": pem("client-key-data")});
    place
        .apply(&exec(&certificate), &config_map("certificate"), &[])
        .exits(0);
    let broken = place.kubeconfig(
        json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1",
        "command": "/no/such/plugin", "interactiveMode": "Never"}}),
    );
    place
        .apply(&broken, &config_map("c"), &[])
        .fails_naming(2, &["cannot log in", "/no/such/plugin"]);
}

#[test]
fn contexts_choose_cluster_user_and_namespace() {
    let place = Place::new("context");
    let mut config = place.admin.clone();
    let current = config["contexts"][0].clone();
    let mut other = current.clone();
    other["name"] = "other".into();
    other["context"]["namespace"] = place.namespace.name.as_str().into();
    let mut nowhere = current;
    nowhere["name"] = "nowhere".into();
    nowhere["context"]["cluster"] = "nowhere".into();
    config["contexts"]
        .as_array_mut()
        .unwrap()
        .extend([other, nowhere]);
    let cluster = json!({"name": "nowhere", "cluster": {"server": "https://127.0.0.1:1"}});
    config["clusters"].as_array_mut().unwrap().push(cluster);
    config["current-context"] = "nowhere".into();
    let kubeconfig = place.file("contexts", &config.to_string());
    let run = |flags: &[&str]| {
        let words = [
            &[
                "apply",
                "-f",
                "-",
                "--kubeconfig",
                kubeconfig.to_str().unwrap(),
            ],
            flags,
        ]
        .concat();
        place.shared.kapply(&words, &config_map("c").to_string())
    };
    run(&["--context", "other"]).exits(0);
    place
        .shared
        .get_json(&["-n", &place.namespace.name, "configmap", "c"]);
    run(&[]).fails_naming(2, &["https://127.0.0.1:1", "--context"]);
    run(&["--context", "absent"]).fails_naming(2, &["absent", "--context"]);
}

#[test]
fn impersonation_is_what_rbac_allows() {
    let place = Place::new("other");
    let admin = place.file("admin", &place.admin.to_string());
    let robot = place.robot();
    place
        .apply(&admin, &config_map("c"), &["--as", &robot])
        .exits(0);
    place
        .apply(&admin, &secret(), &["--as", &robot])
        .fails_naming(2, &[&robot, "secrets"]);
    let masters = ["--as", "somebody", "--as-group", "system:masters"];
    place.apply(&admin, &secret(), &masters).exits(0);
    // The robot itself may not be anybody else.
    let by_token = place.kubeconfig(json!({"token": place.token()}));
    place
        .apply(&by_token, &config_map("c"), &["--as", "somebody"])
        .fails_naming(2, &["impersonate", "somebody"]);
}

/// A pod whose only tool is kapply, from the machine's own files: it finds the
/// API server and its account by itself.
#[test]
fn a_pod_logs_in_with_its_service_account() {
    let place = Place::new("pod");
    let name = &place.namespace.name;
    let words = ["label", "namespace", name, "--overwrite"];
    let level = "pod-security.kubernetes.io/enforce=privileged";
    let relabel = [&words[..], &[level]].concat();
    place.shared.kubectl(&relabel, "").exits(0);
    let kapply = e2e::tool("kapply").canonicalize().unwrap();
    let kapply = format!("/host{}", kapply.display());
    let libraries = "/host/lib/x86_64-linux-gnu:/host/usr/lib/x86_64-linux-gnu";
    // Its own links would lead out of /host.
    let loader = fs::canonicalize("/lib64/ld-linux-x86-64.so.2").unwrap();
    let loader = format!("/host{}", loader.display());
    let command = [
        loader.as_str(),
        "--library-path",
        libraries,
        &kapply,
        "apply",
        "-f",
        "/manifests",
    ];
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "applier"}, "spec": {
        "serviceAccountName": "robot",
        "restartPolicy": "Never",
        "securityContext": {"runAsUser": 0},
        "volumes": [{"name": "host", "hostPath": {"path": "/"}},
                    {"name": "manifests", "configMap": {"name": "manifests"}}],
        "containers": [{"name": "kapply", "image": place.shared.image, "command": command,
            "env": [{"name": "HOME", "value": "/tmp"}],
            "volumeMounts": [{"name": "host", "mountPath": "/host", "readOnly": true},
                             {"name": "manifests", "mountPath": "/manifests"}]}]}});
    let manifests = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "manifests"},
        "data": {"made.json": config_map("made").to_string()}});
    let input = json!({"apiVersion": "v1", "kind": "List", "items": [manifests, pod]});
    let kubectl = |words: &[&str], input: &str| {
        let words = [&["-n", name], words].concat();
        place.shared.kubectl(&words, input)
    };
    kubectl(&["create", "-f", "-"], &input.to_string()).exits(0);
    let phase = Shared::eventually("the pod ends", Duration::from_mins(2), || {
        let pod = place.shared.get_json(&["-n", name, "pod", "applier"]);
        let phase = pod["status"]["phase"].as_str()?.to_owned();
        ["Succeeded", "Failed"].contains(&&*phase).then_some(phase)
    });
    let log = kubectl(&["logs", "applier"], "");
    assert_eq!(phase, "Succeeded", "{log}");
    // In its own namespace, which nothing but its account names.
    let made = place.shared.get_json(&["-n", name, "configmap", "made"]);
    assert_eq!(made["data"]["a"], "b");
}

#[test]
fn proxies_of_the_kubeconfig_and_of_the_environment() {
    let place = Place::new("proxy");
    let target = place.server().trim_start_matches("https://").to_owned();
    let proxy = Proxy::connect_to(&target);
    let url = format!("http://{}", proxy.address);
    let mut config = place.admin.clone();
    config["clusters"][0]["cluster"]["proxy-url"] = url.as_str().into();
    let by_config = place.file("proxied", &config.to_string());
    place.apply(&by_config, &config_map("config"), &[]).exits(0);
    let used = proxy.accepted();
    assert!(used > 0, "the proxy-url was not used");
    let admin = place.file("admin", &place.admin.to_string());
    let mut command = place.command(&admin, &[]);
    command
        .env("HTTPS_PROXY", &url)
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    e2e::run(&mut command, &config_map("environment").to_string()).exits(0);
    assert!(proxy.accepted() > used, "HTTPS_PROXY was not used");
    let nobody = "http://127.0.0.1:1";
    let mut command = place.command(&admin, &[]);
    command
        .env("HTTPS_PROXY", nobody)
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    e2e::run(&mut command, &config_map("c").to_string()).fails_naming(2, &["127.0.0.1"]);
}

#[test]
fn the_log_has_paths_and_codes_but_no_bodies_and_no_tokens() {
    let place = Place::new("log");
    place.grant(&json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}));
    let token = place.token();
    let by_token = place.kubeconfig(json!({"token": token}));
    let ran = place
        .apply(&by_token, &secret(), &["-vvv", "--log-format", "json"])
        .exits(0);
    for value in [token.as_str(), "hunter2", "aHVudGVyMi"] {
        assert!(!ran.stderr.contains(value), "{value}: {ran}");
    }
    let lines = ran.stderr.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let sent = lines.iter().find(|line| line["method"] == "PATCH").unwrap();
    assert!(
        sent["path"].as_str().unwrap().contains("/secrets/s"),
        "{sent}"
    );
    assert!(matches!(sent["code"].as_u64(), Some(200 | 201)), "{sent}");
    assert!(sent["ms"].is_u64(), "{sent}");
}
