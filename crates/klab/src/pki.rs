//! Certificates: three authorities per cluster, and what they sign.
//!
//! The API's clients and servers, etcd's, and the front proxy's are signed by
//! authorities of their own, so that a kubelet's key opens neither etcd nor
//! the aggregation layer.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::{
    error::{Context, Result},
    spec::{API_SERVICE, NodeSpec, SWITCH},
    state::{Folder, private_dir, write_private},
};

const AUTHORITY_LIFE: Duration = Duration::from_hours(10 * 365 * 24);
const LEAF_LIFE: Duration = Duration::from_hours(2 * 365 * 24);
/// Valid a little before now: clocks differ.
const BACKDATE: Duration = Duration::from_hours(1);

/// The authority that signs for the API server and its clients.
pub const CLUSTER: &str = "ca";
/// The authority that etcd trusts.
pub const ETCD: &str = "etcd-ca";
/// The authority behind the API server's aggregation layer.
pub const FRONT_PROXY: &str = "front-proxy-ca";
/// The key pair that signs the tokens of service accounts.
const SERVICE_ACCOUNT: &str = "service-account";

/// A certificate with its key, both in PEM.
#[derive(Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its private key; never printed.
    pub key: String,
}

impl Pair {
    /// Writes `NAME.crt` and `NAME.key`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, folder: &Path, name: &str) -> Result<()> {
        write_private(&folder.join(format!("{name}.crt")), &self.certificate)?;
        write_private(&folder.join(format!("{name}.key")), &self.key)
    }

    /// Reads `NAME.crt` and `NAME.key`.
    ///
    /// # Errors
    /// When one is missing.
    pub fn load(folder: &Path, name: &str) -> Result<Self> {
        let read = |path: PathBuf| fs::read_to_string(&path).file("cannot read", path);
        Ok(Self {
            certificate: read(folder.join(format!("{name}.crt")))?,
            key: read(folder.join(format!("{name}.key")))?,
        })
    }
}

/// Whom a certificate is for.
pub struct Subject<'a> {
    /// The user name, to the API server.
    pub common_name: &'a str,
    /// The user's group, to the API server.
    pub organization: Option<&'a str>,
    /// The DNS names it serves; none for a client.
    pub names: &'a [&'a str],
    /// The addresses it serves; none for a client.
    pub addresses: &'a [Ipv4Addr],
}

impl<'a> Subject<'a> {
    /// A client: a user, perhaps in a group.
    #[must_use]
    pub fn client(common_name: &'a str, organization: Option<&'a str>) -> Self {
        Self {
            common_name,
            organization,
            names: &[],
            addresses: &[],
        }
    }
}

/// Signs certificates.
pub struct Authority {
    pair: Pair,
}

impl Authority {
    /// A new authority.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new(common_name: &str) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = params(common_name, AUTHORITY_LIFE);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            pair: Pair {
                certificate: certificate.pem(),
                key: key.serialize_pem(),
            },
        })
    }

    /// The authority's certificate in PEM: what others trust.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.pair.certificate
    }

    /// Signs a certificate with a new key.
    ///
    /// # Errors
    /// When a name is no DNS name.
    pub fn issue(&self, subject: &Subject<'_>) -> Result<Pair> {
        let issuer =
            Issuer::from_ca_cert_pem(&self.pair.certificate, KeyPair::from_pem(&self.pair.key)?)?;
        let key = KeyPair::generate()?;
        let mut params = params(subject.common_name, LEAF_LIFE);
        if let Some(organization) = subject.organization {
            params
                .distinguished_name
                .push(DnType::OrganizationName, organization);
        }
        for name in subject.names {
            params
                .subject_alt_names
                .push(SanType::DnsName((*name).try_into()?));
        }
        for address in subject.addresses {
            params
                .subject_alt_names
                .push(SanType::IpAddress(IpAddr::V4(*address)));
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if !params.subject_alt_names.is_empty() {
            params
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &issuer)?;
        Ok(Pair {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

fn params(common_name: &str, life: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    let now = SystemTime::now();
    params.not_before = (now - BACKDATE).into();
    params.not_after = (now + life).into();
    params
}

/// The authorities of one cluster.
pub struct Authorities {
    /// For the API.
    pub cluster: Authority,
    /// For etcd.
    pub etcd: Authority,
    /// For the aggregation layer.
    pub front_proxy: Authority,
    /// The keys for service accounts' tokens: what one server signs, the others believe.
    tokens: (String, String),
}

impl Authorities {
    /// New ones, written to the cluster's folder.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn create(folder: &Folder) -> Result<Self> {
        private_dir(&folder.pki())?;
        let make = |file: &str, name: &str| {
            let authority = Authority::new(name)?;
            authority.pair.save(&folder.pki(), file)?;
            Ok::<_, crate::Error>(authority)
        };
        let keys = KeyPair::generate()?;
        let tokens = (keys.serialize_pem(), keys.public_key_pem());
        save_tokens(&tokens, &folder.pki())?;
        Ok(Self {
            cluster: make(CLUSTER, "klab")?,
            etcd: make(ETCD, "klab-etcd")?,
            front_proxy: make(FRONT_PROXY, "klab-front-proxy")?,
            tokens,
        })
    }

    /// Those that `create` wrote.
    ///
    /// # Errors
    /// When a file is missing.
    pub fn load(folder: &Folder) -> Result<Self> {
        let load = |file: &str| {
            Ok::<_, crate::Error>(Authority {
                pair: Pair::load(&folder.pki(), file)?,
            })
        };
        let key = |suffix: &str| {
            let path = folder.pki().join(format!("{SERVICE_ACCOUNT}.{suffix}"));
            fs::read_to_string(&path).file("cannot read", path)
        };
        Ok(Self {
            cluster: load(CLUSTER)?,
            etcd: load(ETCD)?,
            front_proxy: load(FRONT_PROXY)?,
            tokens: (key("key")?, key("pub")?),
        })
    }

    /// What a kubelet and a kube-proxy need, into the node's `pki` folder.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn equip_node(&self, node: &NodeSpec, pki: &Path) -> Result<()> {
        private_dir(pki)?;
        write_private(&pki.join("ca.crt"), self.cluster.certificate())?;
        // The Node authorizer goes by this name and group.
        let user = format!("system:node:{}", node.name);
        let kubelet = Subject {
            common_name: &user,
            organization: Some("system:nodes"),
            names: &[&node.name],
            addresses: &[node.ip()],
        };
        self.cluster.issue(&kubelet)?.save(pki, "kubelet")?;
        self.cluster
            .issue(&Subject::client("system:kube-proxy", None))?
            .save(pki, "kube-proxy")
    }

    /// What the control plane needs on top, into the server's `pki` folder.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn equip_server(&self, server: &NodeSpec, pki: &Path) -> Result<()> {
        private_dir(pki)?;
        write_private(&pki.join("ca.crt"), self.cluster.certificate())?;
        write_private(&pki.join("etcd-ca.crt"), self.etcd.certificate())?;
        write_private(
            &pki.join("front-proxy-ca.crt"),
            self.front_proxy.certificate(),
        )?;

        let names = [
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            &server.name,
        ];
        // The switch passes connections on to whichever server answers.
        let addresses = [Ipv4Addr::LOCALHOST, API_SERVICE, SWITCH, server.ip()];
        let api = Subject {
            common_name: "kube-apiserver",
            organization: None,
            names: &names,
            addresses: &addresses,
        };
        self.cluster.issue(&api)?.save(pki, "apiserver")?;
        let etcd = Subject {
            common_name: "etcd",
            organization: None,
            names: &["localhost"],
            // To its peers, it is a client as well.
            addresses: &[Ipv4Addr::LOCALHOST, server.ip()],
        };
        self.etcd.issue(&etcd)?.save(pki, "etcd")?;

        let issue = |authority: &Authority, file: &str, user: &str, group: Option<&str>| {
            authority
                .issue(&Subject::client(user, group))?
                .save(pki, file)
        };
        issue(&self.etcd, "apiserver-etcd", "kube-apiserver", None)?;
        issue(&self.front_proxy, "front-proxy", "front-proxy-client", None)?;
        issue(
            &self.cluster,
            "apiserver-kubelet",
            "kube-apiserver-kubelet",
            Some("system:masters"),
        )?;
        issue(
            &self.cluster,
            "controller-manager",
            "system:kube-controller-manager",
            None,
        )?;
        issue(&self.cluster, "scheduler", "system:kube-scheduler", None)?;

        save_tokens(&self.tokens, pki)
    }

    /// A new certificate of the cluster's administrator.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn admin(&self) -> Result<Pair> {
        self.cluster
            .issue(&Subject::client("klab-admin", Some("system:masters")))
    }
}

fn save_tokens((key, public): &(String, String), pki: &Path) -> Result<()> {
    write_private(&pki.join(format!("{SERVICE_ACCOUNT}.key")), key)?;
    write_private(&pki.join(format!("{SERVICE_ACCOUNT}.pub")), public)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn openssl_agrees_that_what_is_signed_is_valid_for_what_it_says() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path(), "t".parse().unwrap());
        Authorities::create(&folder).unwrap();
        // Loaded again, as `node add` does.
        let authorities = Authorities::load(&folder).unwrap();
        let pki = dir.path().join("server");
        authorities
            .equip_server(&NodeSpec::server(1), &pki)
            .unwrap();
        authorities.equip_node(&NodeSpec::server(1), &pki).unwrap();

        let verify = |ca: &str, cert: &str, extra: &[&str]| {
            let out = Command::new("openssl")
                .arg("verify")
                .arg("-CAfile")
                .arg(pki.join(ca))
                .args(extra)
                .arg(pki.join(cert))
                .output()
                .unwrap();
            (
                out.status.success(),
                String::from_utf8_lossy(&out.stderr).into_owned(),
            )
        };
        let server = ["-purpose", "sslserver", "-verify_ip", "172.30.0.10"];
        assert_eq!(
            verify("ca.crt", "apiserver.crt", &server),
            (true, String::new())
        );
        assert_eq!(
            verify("ca.crt", "kubelet.crt", &server),
            (true, String::new())
        );
        assert_eq!(
            verify("ca.crt", "kube-proxy.crt", &["-purpose", "sslclient"]),
            (true, String::new())
        );
        assert_eq!(
            verify("etcd-ca.crt", "etcd.crt", &["-verify_ip", "127.0.0.1"]),
            (true, String::new())
        );
        assert!(
            !verify("etcd-ca.crt", "kubelet.crt", &[]).0,
            "etcd must not trust a kubelet"
        );
        assert!(
            !verify("ca.crt", "front-proxy.crt", &[]).0,
            "the API must not take a front proxy for a user"
        );
    }
}
