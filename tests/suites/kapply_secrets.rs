//! No command prints a Secret's value, in any form, whatever happens.

use std::{fs, time::Duration};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use e2e::{Namespace, Ran, Shared};

const PASSWORD: &str = "Pl4nted-hunter2-xyz";
const OLD: &str = "0ld-Pl4nted-value";
const NUMBER: &str = "471181567";
const NOT_BASE64: &str = "Pl4nted!not*base64";
const LINES: [&str; 2] = ["t0ken/Pl4nted", "Pl4nted-line-2"];

/// Every way to write the planted values that a message could hold.
fn forms() -> Vec<String> {
    let values = [PASSWORD, OLD, NUMBER, NOT_BASE64, LINES[0], LINES[1]];
    let mut forms = vec![STANDARD.encode(LINES.join("\"\n"))];
    for value in values {
        let bytes: Vec<_> = value.bytes().map(|byte| byte.to_string()).collect();
        let hex: Vec<_> = value.bytes().map(|byte| format!("{byte:02x}")).collect();
        forms.extend([
            value.to_owned(),
            STANDARD.encode(value),
            STANDARD_NO_PAD.encode(value),
            STANDARD.encode(STANDARD.encode(value)),
            bytes.join(" "),
            hex.concat(),
        ]);
    }
    // A part gives a value away as well.
    forms.push("Pl4nted".to_owned());
    forms
}

#[track_caller]
fn assert_tight(text: &str, context: &dyn std::fmt::Display) {
    for form in forms() {
        assert!(!text.contains(&form), "{form:?} leaked: {context}");
    }
}

struct Bench {
    cluster: Shared,
    namespace: Namespace,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(prefix: &str) -> Self {
        let cluster = Shared::get();
        Self {
            namespace: Namespace::create(&cluster, prefix),
            folder: tempfile::tempdir().unwrap(),
            cluster,
        }
    }

    fn kubectl(&self, words: &[&str], input: &str) -> Ran {
        let all = [words, &["-n", &self.namespace.name]].concat();
        self.cluster.kubectl(&all, input).exits(0)
    }

    /// Runs a command, which must leak nothing.
    #[track_caller]
    fn tight(&self, words: &[&str], manifest: &str) -> Ran {
        let all = [words, &["-f", "-", "-n", &self.namespace.name]].concat();
        let ran = self.cluster.kapply(&all, manifest);
        assert_tight(&format!("{}{}", ran.stdout, ran.stderr), &ran);
        ran
    }

    /// Runs every command that looks at the manifest, and an apply last.
    #[track_caller]
    fn all_tight(&self, manifest: &str, code: i32) {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let (html, out) = (file("plan.html"), file("plan.json"));
        let differs = if code == 0 { 1 } else { code };
        self.tight(&["diff"], manifest).exits(differs);
        self.tight(&["diff", "-o", "json", "-vvv"], manifest)
            .exits(differs);
        self.tight(
            &["diff", "--force-conflicts", "-vv", "--unified", "99"],
            manifest,
        );
        let plan = ["plan", "--html", &html, "--out", &out, "-v"];
        self.tight(&plan, manifest).exits(differs);
        for path in [&html, &out] {
            if let Ok(text) = fs::read_to_string(path) {
                assert_tight(&text, &path);
            }
        }
        self.tight(&["plan", "-o", "json"], manifest).exits(differs);
        self.tight(&["render", "--masked"], manifest).exits(0);
        self.tight(&["apply", "--dry-run", "-vvv"], manifest)
            .exits(code);
        self.tight(&["apply", "--dry-run", "-o", "json"], manifest)
            .exits(code);
        self.tight(&["status", "-v"], manifest);
        if code == 0 {
            // A killed writer leaves the file whole: here it is only read again.
            self.tight(&["apply", "--plan", &out, "-vvv"], manifest)
                .exits(0);
        }
        self.tight(&["apply", "-vvv", "-o", "json"], manifest)
            .exits(code);
        self.tight(&["wait", "--timeout", "0", "-vvv"], manifest);
    }
}

fn secret(name: &str, rest: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\n{rest}\n")
}

#[test]
fn what_is_accepted_stays_hidden() {
    let bench = Bench::new("secret-ok");
    let old = secret("login", &format!("stringData: {{password: {OLD}}}"));
    bench.all_tight(&old, 0);
    let data = STANDARD.encode(PASSWORD);
    let rest = format!(
        "data: {{password: {data}}}\nstringData: {{token: \"{}\"}}",
        LINES.join("\\\"\\n")
    );
    let new = secret("login", &rest);
    let text = bench.tight(&["diff"], &new).exits(1).stdout;
    assert!(
        text.contains("<hidden 1>") && text.contains("password:"),
        "{text}"
    );
    bench.all_tight(&new, 0);
    // The one command whose output is the objects themselves.
    let shown = bench.cluster.kapply(&["render", "-f", "-"], &new).exits(0);
    assert!(shown.stdout.contains(&data), "{shown}");
    let kept: String = STANDARD.encode(LINES.join("\"\n"));
    assert!(
        bench
            .kubectl(&["get", "secret", "login", "-o", "yaml"], "")
            .stdout
            .contains(&kept)
    );
    bench.tight(&["delete", "-vvv"], &new).exits(0);
}

#[test]
fn what_kubectl_applied_before_stays_hidden() {
    let bench = Bench::new("secret-csa");
    let old = secret(
        "login",
        &format!("stringData: {{password: {OLD}, number: '{NUMBER}'}}"),
    );
    bench.kubectl(&["apply", "-f", "-"], &old);
    let new = secret("login", &format!("stringData: {{password: {PASSWORD}}}"));
    bench.all_tight(&new, 0);
}

#[test]
fn what_is_refused_is_not_quoted() {
    let bench = Bench::new("secret-bad");
    for rest in [
        format!("data: {{password: '{NOT_BASE64}'}}"),
        format!("data: {{number: {NUMBER}}}"),
        format!("data: {{password: [{PASSWORD}]}}"),
        format!("data: {PASSWORD}"),
        format!("stringData: {{deep: {{password: {PASSWORD}}}}}"),
        format!("stringData: {PASSWORD}"),
        format!("type: kubernetes.io/tls\nstringData: {{password: {PASSWORD}}}"),
        format!(
            "type: kubernetes.io/dockerconfigjson\nstringData: {{.dockerconfigjson: {PASSWORD}}}"
        ),
    ] {
        bench.all_tight(&secret("refused", &rest), 2);
    }
}

#[test]
fn what_cannot_be_read_is_not_quoted() {
    let bench = Bench::new("secret-yaml");
    for rest in [
        format!("stringData: {{a: {PASSWORD}, a: {OLD}}}"),
        format!("stringData: {{a: \"{PASSWORD}"),
        format!("stringData: {{a: !!int {PASSWORD}}}"),
        format!("stringData: {{a: !!binary {PASSWORD}}}"),
        format!("stringData: {{a: {NUMBER}{NUMBER}{NUMBER}}}"),
        format!("stringData:\n  a: {PASSWORD}\n b: {OLD}"),
        format!("stringData:\n  a: {PASSWORD}: {OLD}"),
    ] {
        let manifest = secret("unread", &rest);
        for command in ["apply", "diff", "plan", "wait", "status"] {
            bench.tight(&[command, "-vvv"], &manifest).exits(2);
        }
    }
}

#[test]
fn a_conflict_hides_both_values() {
    let bench = Bench::new("secret-conflict");
    let theirs = secret("login", &format!("stringData: {{password: {OLD}}}"));
    let theirs_data = theirs
        .replace("stringData", "data")
        .replace(OLD, &STANDARD.encode(OLD));
    bench.kubectl(
        &["apply", "--server-side", "--field-manager=other", "-f", "-"],
        &theirs_data,
    );
    let ours = secret(
        "login",
        &format!("data: {{password: {}}}", STANDARD.encode(PASSWORD)),
    );
    bench.all_tight(&ours, 3);
}

#[test]
fn an_immutable_secret_hides_both_values() {
    let bench = Bench::new("secret-immutable");
    let old = secret(
        "login",
        &format!("immutable: true\nstringData: {{password: {OLD}}}"),
    );
    bench.tight(&["apply"], &old).exits(0);
    let new = old.replace(OLD, PASSWORD);
    bench.all_tight(&new, 2);
    bench
        .tight(&["apply", "--recreate=secret/login", "-vvv"], &new)
        .exits(0);
}

/// A policy that quotes what it sees, deleted when dropped.
struct Gossip<'bench>(&'bench Bench);

impl Gossip<'_> {
    fn name(&self) -> &str {
        &self.0.namespace.name
    }

    fn create(&self) {
        let name = self.name();
        let bindings: String = ["Deny", "Warn"]
            .map(|action| {
                let case = action.to_lowercase();
                format!(
                    "---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: {name}-{case}}}
spec:
  policyName: {name}
  validationActions: [{action}]
  matchResources:
    namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {name}}}}}
    objectSelector: {{matchLabels: {{case: {case}}}}}
"
                )
            })
            .concat();
        let policy = format!(
            "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: {name}}}
spec:
  matchConstraints:
    resourceRules:
    - {{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [secrets]}}
  validations:
  - expression: 'false'
    messageExpression: \"'seen: ' + string(object.data.password) + (oldObject == null ? '' : ' was ' + string(oldObject.data.password))\"
"
        );
        self.0
            .kubectl(&["create", "-f", "-"], &(policy + &bindings));
    }
}

impl Drop for Gossip<'_> {
    fn drop(&mut self) {
        let name = self.name();
        let (deny, warn) = (format!("{name}-deny"), format!("{name}-warn"));
        for (kind, names) in [
            (
                "validatingadmissionpolicybinding",
                vec![deny.as_str(), &warn],
            ),
            ("validatingadmissionpolicy", vec![name]),
        ] {
            let words = [&["delete", kind][..], &names].concat();
            self.0.cluster.kubectl(&words, "");
        }
    }
}

#[test]
fn a_policy_that_quotes_values_is_not_passed_on() {
    let bench = Bench::new("secret-policy");
    let labelled = |case: &str, value: &str| {
        let data = STANDARD.encode(value);
        secret("login", &format!("data: {{password: {data}}}")).replace(
            "{name: login}",
            &format!("{{name: login-{case}, labels: {{case: {case}}}}}"),
        )
    };
    bench.tight(&["apply"], &labelled("deny", OLD)).exits(0);
    bench.tight(&["apply"], &labelled("warn", OLD)).exits(0);
    let gossip = Gossip(&bench);
    gossip.create();
    let probe = labelled("deny", PASSWORD);
    let namespace = bench.namespace.name.as_str();
    // The policy works, and it does say the value.
    let said = Shared::eventually("the policy is in force", Duration::from_mins(1), || {
        let words = [
            "apply",
            "--dry-run=server",
            "--server-side",
            "--force-conflicts",
            "-f",
            "-",
            "-n",
            namespace,
        ];
        let ran = bench.cluster.kubectl(&words, &probe);
        (ran.code != Some(0)).then_some(ran.stderr)
    });
    assert!(
        said.contains(PASSWORD) || said.contains(&STANDARD.encode(PASSWORD)),
        "{said}"
    );
    bench.all_tight(&probe, 2);
    let ran = bench.tight(&["diff"], &probe).exits(2);
    assert!(ran.stdout.contains("seen: <hidden"), "{ran}");
    let ran = bench.tight(&["diff"], &labelled("warn", PASSWORD)).exits(1);
    assert!(
        ran.stdout.contains("warning:") && ran.stdout.contains("<hidden"),
        "{ran}"
    );
    bench.all_tight(&labelled("warn", PASSWORD), 0);
}

#[test]
fn rules_hide_values_of_other_kinds() {
    let bench = Bench::new("secret-rule");
    let map = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: conf}}\ndata: {{key: {PASSWORD}}}\n"
    );
    let open = bench
        .cluster
        .kapply(&["diff", "-f", "-", "-n", &bench.namespace.name], &map)
        .exits(1);
    assert!(open.stdout.contains(PASSWORD), "{open}");
    let rule = ["--mask", "ConfigMap=/data"];
    for words in [["diff"], ["plan"]] {
        bench.tight(&[&words[..], &rule].concat(), &map).exits(1);
    }
    bench
        .tight(&[&["render"][..], &rule].concat(), &map)
        .exits(0);
}
