//! What no server refuses and what still cannot work: objects of one input that
//! do not fit each other, found before anything is sent.
//!
//! Only what the input itself shows is judged. A Service may well select pods
//! that are there already, so a selector without pods is only worth a word when
//! the input brings pods for that namespace, and no custom resource whose
//! operator may bring more.

mod pods;
mod ports;
mod routes;
mod selectors;
mod sets;

use self::pods::Pods;
use crate::{problem::Problem, resolve::Target};

/// Warnings about the targets, with the place of the field, in input order.
#[must_use]
pub fn lint(targets: &[Target]) -> Vec<Problem> {
    let pods = Pods::of(targets);
    let mut warnings: Vec<Problem> = targets
        .iter()
        .flat_map(|target| {
            let mut found = selectors::own(target);
            found.extend(selectors::others(target, &pods));
            found.extend(ports::probes(target));
            found.extend(ports::service(target, &pods));
            found.extend(sets::membership(target));
            found
        })
        .collect();
    warnings.extend(routes::ingresses(targets));
    warnings.extend(routes::autoscalers(targets, &pods));
    warnings.sort_by(|one, other| one.place.cmp(&other.place));
    warnings
}

/// A warning about a field of a target.
fn warning(target: &Target, pointer: &str, message: &str) -> Problem {
    let object = &target.object;
    Problem::at(
        &object.place_of(pointer),
        format!("{}: {message}", object.label()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decode::decode,
        discover::{Catalog, KnownKind},
        problem::File,
        resolve::{Namespacing, resolve},
    };
    use kube::core::ApiResource;

    /// What is said about a text, line and message.
    fn said(text: &str) -> Vec<String> {
        let objects = decode(&[File::read("m.yaml", text.into())]).unwrap();
        let catalog = Catalog::of(objects.iter().map(|object| {
            let resource = ApiResource::from_gvk(&object.gvk());
            let namespaced = object.kind() != "ClusterThing";
            (
                object.gvk(),
                KnownKind {
                    resource,
                    namespaced,
                    aliases: Vec::new(),
                    verbs: Vec::new(),
                    subresources: Vec::new(),
                },
            )
        }));
        let namespacing = Namespacing {
            default: "shop".into(),
            enforce: false,
        };
        let targets = resolve(objects, &catalog, &namespacing).unwrap();
        lint(&targets).iter().map(ToString::to_string).collect()
    }

    const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, tier: front}}
    spec:
      containers:
      - name: web
        image: web
        ports: [{name: http, containerPort: 5000}]
        readinessProbe: {httpGet: {port: http}}
---
";

    fn with_web(text: &str) -> Vec<String> {
        // Line 15 is the text's first.
        said(&format!("{WEB}{text}"))
    }

    #[test]
    fn a_copied_label_of_a_set_is_worth_a_word() {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels:\n    applyset.kubernetes.io/part-of: x\n";
        let said = said(text);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with("m.yaml:6: configmap/a: its label"),
            "{said:?}"
        );
    }

    #[test]
    fn what_fits_is_not_worth_a_word() {
        let text = "\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {selector: {matchExpressions: [{key: tier, operator: In, values: [front]}, {key: gone, operator: DoesNotExist}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: all}
spec: {podSelector: {}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}, rules: [{http: {paths: [{backend: {service: {name: web, port: {name: http}}}}]}}]}
";
        assert_eq!(with_web(text), [""; 0]);
    }

    #[test]
    fn selectors_without_pods() {
        let text = "\
apiVersion: v1
kind: Service
metadata: {name: a}
spec:
  ports: [{port: 80}]
  selector: {app: wbe}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: b}
spec: {selector: {matchLabels: {app: web}, matchExpressions: [{key: tier, operator: NotIn, values: [front]}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: c}
spec: {podSelector: {matchLabels: {app: x}}}
";
        insta::assert_snapshot!(with_web(text).join("\n"), @r"
        m.yaml:20: service/a: its selector app=wbe matches no pod template of the input in the namespace shop
        m.yaml:25: poddisruptionbudget.policy/b: its selector app=web,tier notin (front) matches no pod template of the input in the namespace shop
        m.yaml:30: networkpolicy.networking.k8s.io/c: its selector app=x matches no pod template of the input in the namespace shop
        ");
        // Without pods of its own, or with an operator's, the input says nothing about pods.
        assert_eq!(said(text), [""; 0]);
        let operated = format!(
            "{text}---\napiVersion: db.example.com/v1\nkind: Cluster\nmetadata: {{name: d}}\n"
        );
        assert_eq!(with_web(&operated), [""; 0]);
        // Another namespace's pods are not these.
        assert_eq!(
            with_web(
                "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: other}\nspec: {selector: {app: x}}\n"
            ),
            [""; 0]
        );
    }

    #[test]
    fn a_workload_that_does_not_select_its_own_pods() {
        let text = WEB.replace("matchLabels: {app: web}", "matchLabels: {app: wbe}");
        insta::assert_snapshot!(said(&text).join("\n"), @"m.yaml:5: deployment.apps/web: its selector app=wbe does not match the labels of its own pod template (app=web,tier=front); the server will refuse it");
    }

    #[test]
    fn ports_by_a_name_that_nothing_has() {
        let text = "\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports:
  - {port: 80, targetPort: http}
  - {port: 81, targetPort: metrics}
";
        let probe = format!("{WEB}{text}").replace("port: http}}", "port: htpt}}");
        insta::assert_snapshot!(said(&probe).join("\n"), @r"
        m.yaml:13: deployment.apps/web: readinessProbe asks for the port htpt, and the container web has no port of that name
        m.yaml:22: service/web: targetPort metrics is no port of any container that it selects
        ");
    }

    #[test]
    fn routes_to_what_is_not_there() {
        let text = "\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  defaultBackend: {service: {name: web, port: {number: 8080}}}
  rules:
  - http:
      paths:
      - backend:
          service:
            name: wbe
            port: {number: 80}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: wbe}
";
        insta::assert_snapshot!(with_web(text).join("\n"), @r"
        m.yaml:24: ingress.networking.k8s.io/web: the Service web has no port 8080 (it has: 80)
        m.yaml:30: ingress.networking.k8s.io/web: the Service wbe is not in the input, which has: web
        m.yaml:37: horizontalpodautoscaler.autoscaling/web: its target deployment/wbe is not in the input
        ");
    }
}
