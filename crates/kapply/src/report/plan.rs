//! A plan, for people and for programs. All of them are made from one [`View`],
//! in which nothing is left that must not be shown.

pub mod html;
pub mod json;
mod summary;
pub mod text;
mod view;

pub use self::{
    summary::Summary,
    view::{ObjectView, PruneView, View},
};

#[cfg(test)]
mod tests {
    use kube::core::{ApiResource, GroupVersionKind};
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        apply::FieldConflict,
        mask::Mask,
        object::Object,
        plan::{Action, Blocked, Checked, Live, Plan, Proof, Prune, Step, Verdict},
        problem::Place,
        report::style::Style,
        resolve::{Definition, Target},
    };

    fn resource(kind: &str) -> ApiResource {
        ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind))
    }

    fn target(kind: &str, name: &str, line: usize, rest: &Value) -> Target {
        let mut value = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
        for (key, member) in rest.as_object().unwrap() {
            value[key] = member.clone();
        }
        Target {
            object: Object {
                value,
                place: Place {
                    file: "shop.yaml".into(),
                    line,
                },
                document: 0,
            },
            resource: resource(kind),
            namespace: Some("shop".into()),
            definition: Definition::Cluster,
            served_as: None,
        }
    }

    /// A plan with one object of every action and one prune of every verdict.
    fn view() -> View {
        let after = |target: &Target| target.object.value.clone();
        let live = |value: Value| Some(Live { value });
        let conflict = FieldConflict {
            field: ".data.a".into(),
            manager: "kubectl-edit".into(),
            operation: "Update".into(),
            subresource: String::new(),
            since: None,
            theirs: Some(json!("1")),
            ours: Some(json!("2")),
            is_own: false,
        };
        let targets = [
            target("ConfigMap", "new", 1, &json!({"data": {"a": "<b>&"}})),
            target(
                "Secret",
                "login",
                5,
                &json!({"data": {"key": "bmV3LXNlY3JldA=="}}),
            ),
            target("ConfigMap", "same", 9, &json!({})),
            target(
                "ConfigMap",
                "fixed",
                13,
                &json!({"data": {"a": "2"}, "immutable": true}),
            ),
            target("ConfigMap", "theirs", 17, &json!({"data": {"a": "2"}})),
            target("ConfigMap", "bad", 21, &json!({})),
        ];
        let old = |target: &Target, pointer: &str, value: Value| {
            let mut object = after(target);
            *object.pointer_mut(pointer).unwrap() = value;
            object["metadata"]["managedFields"] = json!([{"manager": "kapply"}]);
            live(object)
        };
        let steps = vec![
            Step {
                notes: vec!["namespace shop is created by this input".to_owned()],
                ..Step::of(Action::Create {
                    after: after(&targets[0]),
                    checked: Checked::Nobody,
                })
            },
            Step {
                live: old(&targets[1], "/data/key", json!("b2xkLXNlY3JldA==")),
                warnings: vec!["old API".to_owned()],
                ..Step::of(Action::Update {
                    after: after(&targets[1]),
                    overridden: vec![conflict.clone()],
                })
            },
            Step::of(Action::Unchanged(Proof::Local)),
            Step {
                live: old(&targets[3], "/data/a", json!("1")),
                ..Step::of(Action::Recreate {
                    after: after(&targets[3]),
                    reason: "field is immutable".to_owned(),
                })
            },
            Step::of(Action::Blocked(Blocked::Conflict(vec![conflict]))),
            Step::of(Action::Blocked(Blocked::Invalid(
                "no such field".to_owned(),
            ))),
        ];
        let prune = |name: &str, verdict| Prune {
            live: Live {
                value: json!({"metadata": {"name": name, "namespace": "shop"}}),
            },
            resource: resource("ConfigMap"),
            verdict,
        };
        let prunes = vec![
            prune("gone", Verdict::Delete),
            prune("kept", Verdict::Keep("a controller owns it".to_owned())),
            prune(
                "dear",
                Verdict::Refused("allow it with --allow-prune".to_owned()),
            ),
        ];
        View::of(&targets, &Plan { steps, prunes }, &Mask::default())
    }

    fn layout(grouped: bool, colour: bool) -> text::Layout {
        text::Layout {
            unified: 1,
            style: Style { colour },
            grouped,
        }
    }

    #[test]
    fn text_says_everything_without_colours() {
        insta::assert_snapshot!(text::plan(&view(), layout(false, false)), @r#"
        + create configmap/new (namespace shop)  shop.yaml:1  (not checked)
            note: namespace shop is created by this input
          + apiVersion: v1
          + kind: ConfigMap
          + metadata:
          +   name: new
          + data:
          +   a: "<b>&"
        ~ update secret/login (namespace shop)  shop.yaml:5
            takes over: .data.a  is owned by "kubectl-edit" (Update): "1" there, "2" here
            warning: old API
            … 4 lines
            data:
          -   key: "<hidden 1>"
          +   key: "<hidden 2>"
        -/+ recreate configmap/fixed (namespace shop)  shop.yaml:13
            reason: an update is not possible: field is immutable
            … 4 lines
            data:
          -   a: "1"
          +   a: "2"
            immutable: true
        ! blocked configmap/theirs (namespace shop)  shop.yaml:17
            conflict: other managers own fields with other values
              .data.a  is owned by "kubectl-edit" (Update): "1" there, "2" here
              ways out: take the fields over with --force-conflicts-with=kubectl-edit (or --force-conflicts), leave them to their managers by removing them from the manifest, or give them the same values
        ! blocked configmap/bad (namespace shop)  shop.yaml:21
            invalid: no such field
        - delete configmap/gone (namespace shop)  not in the input any more
        = keep configmap/kept (namespace shop): a controller owns it
        ! refused to delete configmap/dear (namespace shop): allow it with --allow-prune
        6 objects: 1 to create, 1 to update, 1 to recreate, 1 unchanged, 2 blocked; 1 to prune, 1 kept, 1 refused
        "#);
    }

    #[test]
    fn groups_have_head_lines_and_colours_only_add() {
        let plain = text::plan(&view(), layout(true, false));
        for head in ["To create (1)\n", "To prune (1)\n", "Blocked (2)\n"] {
            assert!(plain.contains(head), "{plain}");
        }
        let coloured = text::plan(&view(), layout(true, true));
        let mut bare = String::new();
        for (index, part) in coloured.split('\u{1b}').enumerate() {
            bare.push_str(if index == 0 {
                part
            } else {
                part.split_once('m').unwrap().1
            });
        }
        assert_ne!(plain, coloured);
        assert_eq!(plain, bare);
    }

    #[test]
    fn json_has_stable_names() {
        let document = json::document(&view());
        insta::assert_snapshot!(format!("{:#}", document["objects"][1]), @r#"
        {
          "apiVersion": "v1",
          "kind": "Secret",
          "namespace": "shop",
          "name": "login",
          "file": "shop.yaml",
          "line": 5,
          "action": "update",
          "changes": [
            {
              "op": "changed",
              "path": "/data/key",
              "field": ".data.key",
              "before": "<hidden 1>",
              "after": "<hidden 2>"
            }
          ],
          "overridden": [
            {
              "field": ".data.a",
              "manager": "kubectl-edit",
              "operation": "Update",
              "subresource": "",
              "since": null,
              "theirs": "1",
              "ours": "2"
            }
          ],
          "warnings": [
            "old API"
          ]
        }
        "#);
        insta::assert_snapshot!(format!("{}", document["objects"][4]), @r#"{"apiVersion":"v1","kind":"ConfigMap","namespace":"shop","name":"theirs","file":"shop.yaml","line":17,"action":"blocked","blocked":"conflict","reason":"other managers own fields with other values","conflicts":[{"field":".data.a","manager":"kubectl-edit","operation":"Update","subresource":"","since":null,"theirs":"1","ours":"2"}]}"#);
        insta::assert_snapshot!(format!("{} {}", document["prunes"], document["summary"]), @r#"[{"apiVersion":"v1","kind":"ConfigMap","namespace":"shop","name":"gone","verdict":"delete"},{"apiVersion":"v1","kind":"ConfigMap","namespace":"shop","name":"kept","verdict":"keep","reason":"a controller owns it"},{"apiVersion":"v1","kind":"ConfigMap","namespace":"shop","name":"dear","verdict":"refused","reason":"allow it with --allow-prune"}] {"objects":6,"create":1,"update":1,"recreate":1,"unchanged":1,"blocked":2,"prune":1,"kept":1,"refused":1}"#);
    }

    #[test]
    fn the_page_escapes_and_hides() {
        let head = html::Head {
            cluster: "https://localhost:6443/",
            time: jiff::Timestamp::UNIX_EPOCH,
            unified: 3,
        };
        let page = html::page(&view(), head);
        assert!(
            page.contains("&lt;b&gt;&amp;") && !page.contains("<b>&"),
            "{page}"
        );
        assert!(page.contains("&lt;hidden 1&gt;"), "{page}");
        for secret in ["secret/login", "1970-01-01 00:00:00 UTC", "no such field"] {
            assert!(
                page.contains(&secret.replace('/', "&#x2f;")),
                "{secret} {page}"
            );
        }
        assert!(
            !page.contains("bmV3LXNlY3JldA") && !page.contains("new-secret"),
            "{page}"
        );
        assert!(!page.contains("src=") && !page.contains("href="), "{page}");
    }
}
