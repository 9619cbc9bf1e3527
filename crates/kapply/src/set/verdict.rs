//! What happens to members that are not in the input any more: most go, some
//! are kept, and a guard refuses what would hurt most if it were a mistake.

use std::collections::BTreeSet;

use super::{
    guard::{self, AllowPrune},
    marks,
    members::{Census, Member},
    parent::Parent,
    reach::{GroupKind, parts},
};
use crate::{
    plan::{Live, Prune, Verdict},
    resolve::Target,
};

/// Judges every member that is no target.
#[must_use]
pub fn verdicts(
    census: Census,
    targets: &[Target],
    parent: &Parent,
    allow: &AllowPrune,
) -> Vec<Prune> {
    let mut prunes: Vec<Prune> = census
        .others
        .into_iter()
        .map(|member| {
            let verdict = judge(&member, parent, allow);
            Prune {
                live: member.live,
                resource: member.resource,
                verdict,
            }
        })
        .collect();
    keep_what_holds_others(&mut prunes, targets);
    guard::refuse_most(&mut prunes, census.total, allow);
    prunes
}

/// What the object alone tells.
fn judge(member: &Member, parent: &Parent, allow: &AllowPrune) -> Verdict {
    if let Some(controller) = member.controller() {
        return Verdict::Keep(format!("{controller} made it and takes care of it"));
    }
    if is_parent(member, parent) {
        return Verdict::Keep("it is the set's own parent".to_owned());
    }
    let kind = member.kind();
    if kind == GroupKind::parse("Namespace")
        && parent.namespace.as_deref() == Some(member.live.name())
    {
        return Verdict::Keep("the set's own parent lives in it".to_owned());
    }
    if let Some(annotation) = keeping_annotation(&member.live) {
        return Verdict::Keep(format!("its annotation {annotation} says so"));
    }
    match guard::guard(&kind) {
        Some((allowed, flag, why)) if !allow.has(allowed) => {
            Verdict::Refused(format!("{why}; allow it with --allow-prune={flag}"))
        }
        _ => Verdict::Delete,
    }
}

fn is_parent(member: &Member, parent: &Parent) -> bool {
    member.key()
        == (
            GroupKind::from(&parent.resource),
            parent.namespace.as_deref(),
            &parent.name,
        )
}

/// The annotation that keeps a member: our own, or that of another tool.
pub(crate) fn keeping_annotation(live: &Live) -> Option<String> {
    let annotations = &live.value["metadata"]["annotations"];
    let text = |key: &str| annotations[key].as_str().unwrap_or_default();
    let keeps = |key: &str, value: &str| {
        parts(text(key))
            .any(|part| part.eq_ignore_ascii_case(value))
            .then(|| format!("{key}: {value}"))
    };
    keeps(marks::PRUNE, "disabled").or_else(|| {
        let mut foreign = marks::FOREIGN_PRUNE.iter();
        foreign.find_map(|(key, value)| keeps(key, value))
    })
}

/// A namespace or definition stays while something of the input, or something
/// that is kept, lives in it or is of its kind.
fn keep_what_holds_others(prunes: &mut [Prune], targets: &[Target]) {
    let stays: Vec<_> = prunes
        .iter()
        .filter(|prune| {
            prune.verdict != Verdict::Delete && super::members::controller(&prune.live).is_none()
        })
        .collect();
    let places = targets.iter().map(|target| {
        (
            GroupKind::from(&target.resource),
            target.namespace.as_deref(),
        )
    });
    let places: BTreeSet<(GroupKind, Option<String>)> = places
        .chain(
            stays
                .iter()
                .map(|prune| (GroupKind::from(&prune.resource), prune.live.namespace())),
        )
        .map(|(kind, namespace)| (kind, namespace.map(str::to_owned)))
        .collect();
    for prune in prunes
        .iter_mut()
        .filter(|prune| prune.verdict == Verdict::Delete)
    {
        let name = prune.live.name();
        let held = match prune.resource.kind.as_str() {
            "Namespace" if prune.resource.group.is_empty() => places
                .iter()
                .find(|(_, namespace)| namespace.as_deref() == Some(name))
                .map(|(kind, _)| format!("a {kind} that stays lives in it")),
            "CustomResourceDefinition" => {
                let spec = &prune.live.value["spec"];
                let defines = |kind: &GroupKind| {
                    spec["group"] == kind.group.as_str()
                        && spec["names"]["kind"] == kind.kind.as_str()
                };
                places
                    .iter()
                    .find(|(kind, _)| defines(kind))
                    .map(|(kind, _)| format!("an object of its kind {kind} stays"))
            }
            _ => None,
        };
        if let Some(reason) = held {
            prune.verdict = Verdict::Keep(reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::core::{ApiResource, GroupVersionKind};
    use serde_json::{Value, json};

    use super::*;
    use crate::{object::Object, problem::Place, resolve::Definition, set::Allow};

    fn parent() -> Parent {
        Parent {
            resource: resource("", "Secret"),
            namespace: Some("shop".into()),
            name: "set".into(),
        }
    }

    fn resource(group: &str, kind: &str) -> ApiResource {
        ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind))
    }

    fn member(kind: &str, namespace: Option<&str>, name: &str, more: &Value) -> Member {
        let kind = GroupKind::parse(kind);
        let mut value = json!({"metadata": {"name": name, "namespace": namespace}});
        for (key, more) in more.as_object().into_iter().flatten() {
            value["metadata"][key] = more.clone();
        }
        Member {
            live: Live { value },
            resource: resource(&kind.group, &kind.kind),
        }
    }

    fn target(member: &Member) -> Target {
        Target {
            object: Object {
                value: member.live.value.clone(),
                place: Place::file("f"),
                document: 0,
            },
            resource: member.resource.clone(),
            namespace: member.live.namespace().map(str::to_owned),
            definition: Definition::Cluster,
            served_as: None,
        }
    }

    /// What the lists would find.
    fn census(members: Vec<Member>, targets: &[Target]) -> Census {
        let total = members
            .iter()
            .filter(|member| member.controller().is_none())
            .count();
        let is_target = |member: &Member| {
            targets.iter().any(|target| {
                let kind = GroupKind::from(&target.resource);
                (kind, target.namespace.as_deref(), target.object.name()) == member.key()
            })
        };
        let others = members
            .into_iter()
            .filter(|member| !is_target(member))
            .collect();
        Census { others, total }
    }

    /// The verdicts by name, with nothing counted against the half.
    fn judged(members: Vec<Member>, targets: &[Target], allow: &[Allow]) -> Vec<(String, Verdict)> {
        let mut allow = allow.to_vec();
        allow.push(Allow::Most);
        verdicts(
            census(members, targets),
            targets,
            &parent(),
            &AllowPrune(allow),
        )
        .into_iter()
        .map(|prune| (prune.live.name().to_owned(), prune.verdict))
        .collect()
    }

    fn map(name: &str) -> Member {
        member("ConfigMap", Some("shop"), name, &Value::Null)
    }

    #[test]
    fn what_left_the_input_goes_and_targets_are_not_judged() {
        let found = judged(vec![map("a"), map("b")], &[target(&map("b"))], &[]);
        assert_eq!(found, [("a".to_owned(), Verdict::Delete)]);
    }

    #[test]
    fn owned_annotated_and_vital_members_are_kept() {
        let owned =
            json!({"ownerReferences": [{"kind": "Redis", "name": "r", "controller": true}]});
        let named = json!({"ownerReferences": [{"kind": "Redis", "name": "r"}]});
        let ours = json!({"annotations": {"kapply.dev/prune": "disabled"}});
        let helm = json!({"annotations": {"helm.sh/resource-policy": "keep"}});
        let flux = json!({"annotations": {"kustomize.toolkit.fluxcd.io/prune": "Disabled"}});
        let argo = json!({"annotations": {"argocd.argoproj.io/sync-options": "Replace=true, Prune=false"}});
        let other = json!({"annotations": {"kapply.dev/prune": "enabled"}});
        let found = judged(
            vec![
                member("ConfigMap", Some("shop"), "owned", &owned),
                member("ConfigMap", Some("shop"), "named", &named),
                member("ConfigMap", Some("shop"), "ours", &ours),
                member("ConfigMap", Some("shop"), "helm", &helm),
                member("ConfigMap", Some("shop"), "flux", &flux),
                member("ConfigMap", Some("shop"), "argo", &argo),
                member("ConfigMap", Some("shop"), "other", &other),
                member("Secret", Some("shop"), "set", &Value::Null),
                member("Namespace", None, "shop", &Value::Null),
            ],
            &[],
            &[Allow::All],
        );
        let keep = |text: &str| Verdict::Keep(text.to_owned());
        let expected = [
            ("owned", keep("Redis r made it and takes care of it")),
            ("named", Verdict::Delete),
            (
                "ours",
                keep("its annotation kapply.dev/prune: disabled says so"),
            ),
            (
                "helm",
                keep("its annotation helm.sh/resource-policy: keep says so"),
            ),
            (
                "flux",
                keep("its annotation kustomize.toolkit.fluxcd.io/prune: disabled says so"),
            ),
            (
                "argo",
                keep("its annotation argocd.argoproj.io/sync-options: Prune=false says so"),
            ),
            ("other", Verdict::Delete),
            ("set", keep("it is the set's own parent")),
            ("shop", keep("the set's own parent lives in it")),
        ];
        assert_eq!(
            found,
            expected.map(|(name, verdict)| (name.to_owned(), verdict))
        );
    }

    #[test]
    fn each_guard_is_lifted_by_its_own_word() {
        for (kind, namespace, allow, word) in [
            ("Namespace", None, Allow::Namespaces, "namespaces"),
            (
                "CustomResourceDefinition.apiextensions.k8s.io",
                None,
                Allow::Crds,
                "crds",
            ),
            ("PersistentVolumeClaim", Some("shop"), Allow::Pvcs, "pvcs"),
        ] {
            let one = || vec![member(kind, namespace, "x", &Value::Null)];
            for lifted in [Allow::Namespaces, Allow::Crds, Allow::Pvcs, Allow::All] {
                let verdict = judged(one(), &[], &[lifted]).remove(0).1;
                if lifted == allow || lifted == Allow::All {
                    assert_eq!(verdict, Verdict::Delete, "{kind} {lifted:?}");
                } else {
                    assert!(
                        matches!(&verdict, Verdict::Refused(why) if why.contains(&format!("--allow-prune={word}"))),
                        "{kind} {lifted:?}: {verdict:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn more_than_half_is_refused_and_owned_members_do_not_count() {
        let none = AllowPrune::default();
        let going = |members: Vec<Member>, targets: &[Target], allow: &AllowPrune| {
            let prunes = verdicts(census(members, targets), targets, &parent(), allow);
            prunes
                .iter()
                .filter(|prune| prune.verdict == Verdict::Delete)
                .count()
        };
        let all = || vec![map("a"), map("b"), map("c"), map("d")];
        let half = [target(&map("a")), target(&map("b"))];
        assert_eq!(going(all(), &half, &none), 2);
        assert_eq!(going(all(), &half[..1], &none), 0);
        assert_eq!(going(all(), &half[..1], &AllowPrune(vec![Allow::Most])), 3);
        let owned = json!({"ownerReferences": [{"kind": "R", "name": "r", "controller": true}]});
        let copies = (0..9).map(|n| member("ConfigMap", Some("shop"), &format!("o{n}"), &owned));
        assert_eq!(
            going(all().into_iter().chain(copies).collect(), &half[..1], &none),
            0
        );
    }

    #[test]
    fn a_namespace_or_definition_stays_while_something_in_it_stays() {
        let namespace = || member("Namespace", None, "data", &Value::Null);
        let claim = || member("PersistentVolumeClaim", Some("data"), "c", &Value::Null);
        let verdict = |members: Vec<Member>, targets: &[Target]| {
            let found = judged(members, targets, &[Allow::Namespaces, Allow::Crds]);
            found
                .into_iter()
                .find(|(name, _)| name == "data" || name == "widgets")
                .unwrap()
                .1
        };
        assert_eq!(verdict(vec![namespace()], &[]), Verdict::Delete);
        assert_eq!(
            verdict(vec![namespace(), claim()], &[]),
            Verdict::Keep("a PersistentVolumeClaim that stays lives in it".into())
        );
        let inside = target(&member("ConfigMap", Some("data"), "m", &Value::Null));
        assert_eq!(
            verdict(vec![namespace()], &[inside]),
            Verdict::Keep("a ConfigMap that stays lives in it".into())
        );
        let mut definition = member(
            "CustomResourceDefinition.apiextensions.k8s.io",
            None,
            "widgets",
            &Value::Null,
        );
        definition.live.value["spec"] =
            json!({"group": "example.com", "names": {"kind": "Widget"}});
        let widget = target(&member(
            "Widget.example.com",
            Some("shop"),
            "w",
            &Value::Null,
        ));
        assert_eq!(verdict(vec![definition.clone()], &[]), Verdict::Delete);
        assert_eq!(
            verdict(vec![definition], &[widget]),
            Verdict::Keep("an object of its kind Widget.example.com stays".into())
        );
    }
}
