//! Registries and disks that fail: the tool goes on where that can help, says what happened
//! where it cannot, and never leaves a tag to half an image.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use e2e::{Fault, FaultProxy, Registry, Rule, Shared, Workshop, run, tool};

const MIB: u64 = 1 << 20;

struct Scene {
    registry: Registry,
    proxy: FaultProxy,
    shop: Workshop,
}

impl Scene {
    /// An image with a layer of 6 MiB, and a registry behind a proxy.
    fn new(rules: Vec<Rule>) -> Self {
        let registry = Registry::start();
        let proxy = FaultProxy::start(registry.address, rules);
        let shop = Workshop::new();
        shop.build("layout", 6 * MIB as usize);
        Self {
            registry,
            proxy,
            shop,
        }
    }

    fn reference(&self) -> String {
        format!("{}/web:1", self.proxy.address)
    }

    fn push(&self, more: &[&str]) -> e2e::Ran {
        let reference = self.reference();
        let words = ["push", "layout", reference.as_str()];
        self.shop.ocipack(&[&words[..], more].concat())
    }

    /// The registry holds every byte, as somebody without the proxy sees it.
    fn is_whole(&self) {
        let reference = self.registry.repository("web:1");
        let words = ["verify", "layout", "--against", &reference];
        self.shop.ocipack(&words).exits(0);
    }

    /// Turns a bit in the middle of the layer; returns the name that its file has.
    fn damage(&self) -> String {
        let blobs = fs::read_dir(self.shop.path("layout/blobs/sha256")).unwrap();
        let largest = blobs.map(|blob| blob.unwrap().path());
        let largest = largest
            .max_by_key(|path| fs::metadata(path).unwrap().len())
            .unwrap();
        let mut bytes = fs::read(&largest).unwrap();
        bytes[3 << 20] ^= 1;
        fs::write(&largest, bytes).unwrap();
        largest.file_name().unwrap().to_str().unwrap().to_owned()
    }

    fn bodies(&self, method: &str) -> usize {
        let seen = self.proxy.seen();
        seen.iter().filter(|seen| seen.method == method).count()
    }
}

#[test]
fn an_upload_that_is_cut_goes_on_where_it_was_cut() {
    let cut = Rule::new("PATCH", "/blobs/", Fault::CutRequest(1_500_000)).skip(2);
    let scene = Scene::new(vec![cut]);
    let pushed = scene.push(&["--chunk-size", "2M", "--jobs", "1"]).exits(0);
    assert!(pushed.stderr.contains("trying again"), "{pushed}");
    scene.is_whole();
    // One for the configuration; of the layer's four parts one twice, and no part from the start.
    assert!(scene.bodies("PATCH") <= 6, "{:?}", scene.proxy.seen());
    let asked = scene.proxy.seen();
    let asked = asked
        .iter()
        .any(|seen| seen.method == "GET" && seen.path.contains("/uploads/"));
    assert!(asked, "{:?}", scene.proxy.seen());
}

#[test]
fn a_download_that_is_cut_goes_on_where_it_was_cut() {
    let scene = Scene::new(vec![]);
    scene.push(&[]).exits(0);
    let cuts = Rule::new("GET", "/blobs/", Fault::CutAnswer(2 * MIB)).times(3);
    scene.proxy.set(vec![cuts]);
    let pulled = scene
        .shop
        .ocipack(&["pull", &scene.reference(), "back"])
        .exits(0);
    assert!(pulled.stderr.contains("trying again"), "{pulled}");
    let partial = scene.proxy.seen();
    let partial = partial.iter().any(|seen| seen.status == Some(206));
    assert!(partial, "{:?}", scene.proxy.seen());
    scene.shop.ocipack(&["diff", "layout", "back"]).exits(0);
}

#[test]
fn passing_failures_pass() {
    let answer = |status, headers: &[(&'static str, &str)]| {
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        Fault::Answer(status, headers.collect())
    };
    let scene = Scene::new(vec![
        Rule::new("HEAD", "/blobs/", answer(429, &[("retry-after", "1")])),
        Rule::new("POST", "/uploads/", answer(503, &[])),
        Rule::new("PATCH", "/uploads/", answer(500, &[])).times(2),
        Rule::new("PUT", "/uploads/", answer(502, &[])),
        Rule::new("PUT", "/manifests/", answer(504, &[])),
    ]);
    let start = Instant::now();
    scene.push(&[]).exits(0);
    assert!(
        start.elapsed() >= Duration::from_secs(1),
        "Retry-After was not heeded"
    );
    scene.is_whole();
}

#[test]
fn lasting_failures_are_told_and_leave_no_tag() {
    let answer = Fault::Answer(500, vec![]);
    for (method, path) in [
        ("PATCH", "/uploads/"),
        ("PUT", "/manifests/sha256"),
        ("PUT", "/manifests/1"),
    ] {
        let scene = Scene::new(vec![Rule::new(method, path, answer.clone()).times(100)]);
        let failed = scene.push(&["--retries", "2"]);
        let host = scene.proxy.address.to_string();
        let failed = failed.exits(2);
        let last = failed.stderr.lines().last().unwrap();
        assert!(last.starts_with("ocipack: error: cannot "), "{failed}");
        assert!(last.contains(&host) && last.contains("500"), "{failed}");
        assert!(scene.registry.tags("web").is_empty(), "{method} {path}");
        scene.proxy.set(vec![]);
        scene.push(&[]).exits(0);
        scene.is_whole();
    }
    // One that asks for too much patience is not waited for.
    let later = Fault::Answer(429, vec![("retry-after", "7200".into())]);
    let scene = Scene::new(vec![Rule::new("POST", "/uploads/", later).times(100)]);
    scene.push(&[]).fails_naming(2, &["429", "7200 s"]);
}

#[test]
fn a_silent_registry_is_not_waited_for_for_ever() {
    let slow = Fault::Slow(Duration::from_mins(10));
    let scene = Scene::new(vec![]);
    scene.push(&[]).exits(0);
    scene
        .proxy
        .set(vec![Rule::new("GET", "/blobs/", slow).times(100)]);
    let words = [
        "pull",
        &scene.reference(),
        "back",
        "--timeout",
        "1",
        "--retries",
        "1",
    ];
    let ran = scene.shop.ocipack(&words).exits(2);
    assert!(ran.stderr.contains("no answer within 1 s"), "{ran}");
}

#[test]
fn a_wrong_byte_on_the_way_is_fetched_again() {
    let scene = Scene::new(vec![]);
    scene.push(&[]).exits(0);
    scene
        .proxy
        .set(vec![Rule::new("GET", "/blobs/", Fault::WrongByte)]);
    scene
        .shop
        .ocipack(&["pull", &scene.reference(), "back.tar"])
        .exits(0);
    scene.shop.ocipack(&["diff", "layout", "back.tar"]).exits(0);
}

#[test]
fn a_damaged_layout_is_refused_and_the_registry_is_as_it_was() {
    let scene = Scene::new(vec![]);
    let name = scene.damage();
    // It is sent while it is checked: neither parts nor mounts may make a difference.
    for more in [&[][..], &["--chunk-size", "1M"], &["--mount-from", "other"]] {
        scene.push(more).fails_naming(2, &["layout", &name]);
        assert_eq!(scene.bodies("PUT"), 0, "{:?}", scene.proxy.seen());
        assert_eq!(scene.registry.files(), [] as [PathBuf; 0]);
    }
    let seen = scene.proxy.seen();
    let mounts = seen.iter().filter(|seen| seen.path.contains("mount="));
    assert_eq!(mounts.count(), 0, "{seen:?}");
    let cancelled = seen.iter().filter(|seen| seen.method == "DELETE");
    let cancelled = cancelled.filter(|seen| seen.status == Some(204)).count();
    assert_eq!(cancelled, scene.bodies("POST"), "{seen:?}");
}

#[test]
fn a_damaged_layout_gets_no_tag_where_its_blobs_are_already() {
    let scene = Scene::new(vec![]);
    scene.push(&[]).exits(0);
    let name = scene.damage();
    let next = format!("{}/web:2", scene.proxy.address);
    let push = scene.shop.ocipack(&["push", "layout", &next]);
    push.fails_naming(2, &["layout", &name]);
    assert_eq!(scene.registry.tags("web"), ["1"]);
}

#[test]
fn a_push_that_is_killed_leaves_no_tag_and_the_next_finishes() {
    // Killed before each kind of request.
    for (method, path, skip) in [
        ("PATCH", "/uploads/", 0),
        ("PATCH", "/uploads/", 3),
        ("PUT", "/uploads/", 0),
        ("PUT", "/manifests/sha256", 0),
        ("PUT", "/manifests/1", 0),
    ] {
        let hold = Fault::Answer(429, vec![("retry-after", "200".into())]);
        let scene = Scene::new(vec![Rule::new(method, path, hold).skip(skip).times(100)]);
        let reference = scene.reference();
        let words = [
            "push",
            "layout",
            &reference,
            "--chunk-size",
            "1M",
            "--jobs",
            "1",
        ];
        let mut push = scene.shop.command(&words);
        let mut push = push
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Shared::eventually("a push that waits", Duration::from_mins(1), || {
            assert!(push.try_wait().unwrap().is_none(), "it ended");
            let seen = scene.proxy.seen();
            seen.iter()
                .any(|seen| seen.status == Some(429))
                .then_some(())
        });
        push.kill().unwrap();
        push.wait().unwrap();
        assert!(scene.registry.tags("web").is_empty(), "{method} {path}");
        scene.proxy.set(vec![]);
        scene.push(&[]).exits(0);
        scene.is_whole();
    }
}

#[test]
fn a_pull_that_is_killed_keeps_what_is_whole() {
    let scene = Scene::new(vec![]);
    scene.push(&[]).exits(0);
    // The layer is the second blob: the configuration comes through.
    let hold = Fault::Slow(Duration::from_mins(10));
    scene
        .proxy
        .set(vec![Rule::new("GET", "/blobs/", hold).skip(1).times(100)]);
    let reference = scene.reference();
    let mut pull = scene
        .shop
        .command(&["pull", &reference, "back", "--jobs", "1"]);
    let mut pull = pull
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let blobs = scene.shop.path("back/blobs/sha256");
    let whole = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_name().len() == 64)
            .count()
    };
    Shared::eventually("a whole blob", Duration::from_mins(1), || {
        (whole(&blobs) > 0).then_some(())
    });
    pull.kill().unwrap();
    pull.wait().unwrap();
    assert!(!scene.shop.path("back/index.json").exists());
    scene.proxy.set(vec![]);
    let again = scene
        .shop
        .ocipack(&["pull", &reference, "back", "-o", "json"])
        .exits(0);
    let answer: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(answer["existing"], 1, "{again}");
    scene.shop.ocipack(&["diff", "layout", "back"]).exits(0);
    let left = fs::read_dir(&blobs).unwrap().count();
    assert_eq!(left, 3, "half a blob was left");
}

#[test]
fn a_full_disk_leaves_nothing_and_says_so() {
    let shop = Workshop::new();
    shop.build("whole", 4 << 20);
    for output in ["layout", "image.tar"] {
        // 1 MiB, in the shell's blocks of 512 bytes: the limit acts as a full disk does.
        let script = format!(
            "trap '' XFSZ; ulimit -f 2048; exec {} build --binary linux/amd64=server \
             --file ballast:/ballast --compression none -o {output}",
            tool("ocipack").display()
        );
        let mut build = Command::new("sh");
        build.args(["-c", &script]).current_dir(shop.path(""));
        run(&mut build, "").fails_naming(2, &["cannot pack", "File too large"]);
        assert!(!shop.path(output).exists(), "{output}");
    }
    let left = fs::read_dir(shop.path("")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 4, "{left:?}");
}
