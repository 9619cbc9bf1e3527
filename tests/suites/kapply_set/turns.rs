//! The two tools take turns with a set, and each refuses what is the other's.

use e2e::{Namespace, Shared};

use super::{annotation, apply, config_maps, kubectl_apply, maps, members, set};

#[test]
fn kapply_and_kubectl_take_turns() {
    let shared = Shared::get();
    for kubectl_mode in [&["--server-side"][..], &[]] {
        let namespace = Namespace::create(&shared, &format!("turns{}", kubectl_mode.len()));
        let name = &namespace.name;
        apply(&shared, name, &[], &maps(&["a", "b", "c"])).exits(0);
        // Each refuses the other's set, and touches nothing.
        kubectl_apply(&shared, name, kubectl_mode, &maps(&["a"]))
            .fails_naming(1, &["managed by tooling \"kapply\" instead of \"kubectl\""]);
        assert_eq!(config_maps(&shared, name), set(&["a", "b", "c"]));

        let ran = apply(
            &shared,
            name,
            &["--hand-over", "kubectl/v1.35.4"],
            &maps(&["a", "b"]),
        )
        .exits(0);
        assert!(
            ran.stderr.contains("belongs to kubectl/v1.35.4 now"),
            "{ran}"
        );
        assert_eq!(annotation(&shared, name, "tooling"), "kubectl/v1.35.4");
        apply(&shared, name, &[], &maps(&["a"]))
            .fails_naming(5, &["belongs to kubectl/v1.35.4", "--adopt"]);
        assert_eq!(config_maps(&shared, name), set(&["a", "b"]));

        // kubectl prunes what kapply applied, and kapply what kubectl applied.
        kubectl_apply(&shared, name, kubectl_mode, &maps(&["a", "d"])).exits(0);
        assert_eq!(config_maps(&shared, name), set(&["a", "d"]));
        assert_eq!(members(&shared, name), set(&["a", "d"]));
        let ran = apply(&shared, name, &["--adopt"], &maps(&["a", "e"])).exits(0);
        assert!(
            ran.stderr.contains("it has 2 members") && ran.stderr.contains("configmap/d"),
            "{ran}"
        );
        assert_eq!(config_maps(&shared, name), set(&["a", "e"]));
        assert_eq!(members(&shared, name), set(&["a", "e"]));
        let version = format!("kapply/v{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(annotation(&shared, name, "tooling"), version);
        assert_eq!(
            annotation(&shared, name, "contains-group-kinds"),
            "ConfigMap"
        );
        kubectl_apply(&shared, name, kubectl_mode, &maps(&["a"]))
            .fails_naming(1, &["managed by tooling \"kapply\""]);
    }
}
