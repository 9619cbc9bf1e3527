//! The stack itself: its manifests, applied by kapply, on real nodes.

use e2e::{Namespace, Shared};

fn manifests() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests")
}

fn apply(shared: &Shared, namespace: &Namespace) -> e2e::Ran {
    let image = format!("hostname-server={}", shared.image);
    let words = [
        "apply",
        "-f",
        manifests(),
        "-n",
        &namespace.name,
        "--image",
        &image,
        "--wait",
        "--timeout",
        "2m",
    ];
    shared.kapply(&words, "")
}

#[test]
fn three_replicas_answer_with_their_names() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "stack");
    apply(&shared, &namespace).exits(0);

    let deployment = shared.get_json(&["-n", &namespace.name, "deployment", "web-deployment"]);
    assert_eq!(deployment["status"]["readyReplicas"], 3);
    let fields = shared.get_json(&[
        "-n",
        &namespace.name,
        "deployment",
        "web-deployment",
        "--show-managed-fields",
    ]);
    let managers = fields["metadata"]["managedFields"].as_array().unwrap();
    let ours = managers
        .iter()
        .find(|entry| entry["manager"] == "kapply")
        .expect("kapply manages it");
    assert_eq!(ours["operation"], "Apply");

    let pods = shared.get_json(&["-n", &namespace.name, "pods", "-l", "app=web"]);
    let names: Vec<_> = pods["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pod| pod["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 3);
    let service = shared.get_json(&["-n", &namespace.name, "service", "python-service"]);
    assert_eq!(service["spec"]["ports"][0]["port"], 8000);
    assert_eq!(service["spec"]["ports"][0]["targetPort"], 5000);
    let address = service["spec"]["clusterIP"].as_str().unwrap();
    let request = format!(
        "exec 3<>/dev/tcp/{address}/8000; printf 'GET / HTTP/1.1\\r\\nHost: web\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3"
    );
    let answer = shared
        .klab(&["exec", "server", "--", "bash", "-c", &request])
        .exits(0)
        .stdout;
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    let expected: Vec<_> = names
        .iter()
        .map(|name| format!("Hello World! My Host name is {name}\n\n"))
        .collect();
    assert!(
        expected.iter().any(|expected| expected == body),
        "{body:?} is none of {expected:?}"
    );
}

#[test]
fn a_pod_reaches_itself_through_its_service() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "hairpin");
    let image = format!("hostname-server={}", shared.image);
    let rendered = shared
        .kapply(
            &[
                "render",
                "-f",
                manifests(),
                "-n",
                &namespace.name,
                "--image",
                &image,
                "-o",
                "json",
            ],
            "",
        )
        .exits(0)
        .stdout;
    // One replica: whoever asks the Service from there must be answered by itself.
    let single = rendered.replace("\"replicas\": 3", "\"replicas\": 1");
    assert_ne!(single, rendered);
    shared
        .kapply(&["apply", "-f", "-", "--wait", "--timeout", "2m"], &single)
        .exits(0);
    let service = shared.get_json(&["-n", &namespace.name, "service", "python-service"]);
    let address = service["spec"]["clusterIP"].as_str().unwrap();
    let pod = &shared.get_json(&["-n", &namespace.name, "pods"])["items"][0];
    let node = pod["spec"]["nodeName"].as_str().unwrap();
    // The image has no shell: its network is entered from its node.
    let request = format!(
        "pid=$(pgrep -n hostname-server); exec nsenter -t $pid -n bash -c \
         'exec 3<>/dev/tcp/{address}/8000; printf \"GET / HTTP/1.1\\r\\nHost: w\\r\\nConnection: close\\r\\n\\r\\n\" >&3; cat <&3'"
    );
    let answer = shared
        .klab(&["exec", node, "--", "bash", "-c", &request])
        .exits(0)
        .stdout;
    assert!(
        answer.contains(pod["metadata"]["name"].as_str().unwrap()),
        "{answer}"
    );
}

#[test]
fn what_render_prints_is_what_was_applied() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "render");
    apply(&shared, &namespace).exits(0);
    let versions = || {
        let objects = [
            "deployment/web-deployment",
            "service/python-service",
            "poddisruptionbudget/web-deployment",
        ];
        objects.map(|object| {
            let object = shared.get_json(&["-n", &namespace.name, object]);
            // A controller's status writes move the resourceVersion; ours alone moves the fields.
            (
                object["metadata"]["generation"].clone(),
                object["spec"].clone(),
            )
        })
    };
    let before = versions();
    let image = format!("hostname-server={}", shared.image);
    let rendered = shared
        .kapply(
            &[
                "render",
                "-f",
                manifests(),
                "-n",
                &namespace.name,
                "--image",
                &image,
            ],
            "",
        )
        .exits(0)
        .stdout;
    let applied = shared.kubectl(
        &[
            "apply",
            "--server-side",
            "--field-manager=kapply",
            "-f",
            "-",
            "-o",
            "name",
        ],
        &rendered,
    );
    applied.exits(0);
    assert_eq!(before, versions());

    let again = apply(&shared, &namespace).exits(0);
    assert!(again.stdout.contains("web-deployment unchanged"), "{again}");
    assert!(!again.stdout.contains("configured"), "{again}");
}
