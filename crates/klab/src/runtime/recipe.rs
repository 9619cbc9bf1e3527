//! Which module makes which programs, and with which flags. The modules'
//! sources and pins are part of klab's own binary.

/// A Go module in `runtime/`.
pub(super) struct Module {
    /// Its folder.
    pub(super) name: &'static str,
    /// Its files.
    pub(super) files: &'static [(&'static str, &'static str)],
    /// What `go build` is told.
    pub(super) arguments: &'static [&'static str],
    /// The environment it is told in.
    pub(super) environment: &'static [(&'static str, &'static str)],
    /// What comes out.
    pub(super) programs: &'static [&'static str],
}

macro_rules! files {
    ($module:literal: $($file:literal),+) => {
        &[$(($file, include_str!(concat!("../../runtime/", $module, "/", $file)))),+]
    };
}

const PLAIN: &str = "-s -w";
const PURE_GO: (&str, &str) = ("CGO_ENABLED", "0");

/// What every cluster runs, in the order of build times, longest first.
pub(super) const CLUSTER: &[Module] = &[
    Module {
        name: "kubernetes",
        files: files!("kubernetes": "go.mod", "go.sum", "main.go"),
        // Unstamped, nodes report a placeholder, and so does kubectl as an ApplySet's tooling.
        arguments: &[
            "-ldflags",
            "-s -w \
             -X k8s.io/component-base/version.gitVersion=v1.35.4 \
             -X k8s.io/component-base/version.gitMajor=1 \
             -X k8s.io/component-base/version.gitMinor=35 \
             -X k8s.io/client-go/pkg/version.gitVersion=v1.35.4",
            ".",
        ],
        environment: &[PURE_GO],
        programs: &["kubernetes"],
    },
    Module {
        name: "containerd",
        files: files!("containerd": "go.mod", "go.sum"),
        arguments: &[
            "-tags",
            "no_btrfs,no_zfs,no_devmapper",
            "-ldflags",
            PLAIN,
            "tool",
        ],
        environment: &[PURE_GO],
        programs: &["containerd", "containerd-shim-runc-v2", "ctr"],
    },
    Module {
        name: "etcd",
        files: files!("etcd": "go.mod", "go.sum"),
        arguments: &["-ldflags", PLAIN, "tool"],
        environment: &[PURE_GO],
        programs: &["server"],
    },
    Module {
        name: "runc",
        files: files!("runc": "go.mod", "go.sum"),
        // Without seccomp runc refuses every sandbox.
        arguments: &[
            "-tags",
            "seccomp,netgo,osusergo",
            "-ldflags",
            "-s -w -extldflags -static",
            "tool",
        ],
        environment: &[("CGO_ENABLED", "1")],
        programs: &["runc"],
    },
    Module {
        name: "cni",
        files: files!("cni": "go.mod", "go.sum"),
        arguments: &["-ldflags", PLAIN, "tool"],
        environment: &[PURE_GO],
        programs: &["host-local", "loopback", "portmap", "ptp"],
    },
    Module {
        name: "pause",
        files: files!("pause": "go.mod", "main.go"),
        arguments: &["-ldflags", PLAIN, "."],
        environment: &[PURE_GO],
        programs: &["pause"],
    },
];

/// What `up --registry` runs.
pub(super) const REGISTRY: &[Module] = &[Module {
    name: "registry",
    files: files!("registry": "go.mod", "go.sum"),
    arguments: &["-ldflags", PLAIN, "tool"],
    environment: &[PURE_GO],
    programs: &["registry"],
}];

/// What resolves the names of Services.
pub(super) const DNS: &[Module] = &[Module {
    name: "coredns",
    files: files!("coredns": "go.mod", "go.sum", "main.go"),
    arguments: &["-ldflags", PLAIN, "."],
    environment: &[PURE_GO],
    programs: &["coredns"],
}];

/// Other names of what was built for [`CLUSTER`].
pub(super) const LINKS: &[(&str, &str)] = &[
    ("etcd", "server"),
    ("kube-apiserver", "kubernetes"),
    ("kube-controller-manager", "kubernetes"),
    ("kube-proxy", "kubernetes"),
    ("kube-scheduler", "kubernetes"),
    ("kubectl", "kubernetes"),
    ("kubelet", "kubernetes"),
];
