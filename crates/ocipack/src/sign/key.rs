//! Key pairs: ECDSA on the curve P-256 with SHA-256, which is what cosign makes
//! (<https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pem::Pem;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use sha2::{Digest as _, Sha256};

use super::encrypted::{self, Sealed};

const PUBLIC: &str = "PUBLIC KEY";
const PRIVATE: &str = "PRIVATE KEY";
/// What cosign calls an encrypted key today, and what it did first.
const ENCRYPTED: [&str; 2] = [
    "ENCRYPTED SIGSTORE PRIVATE KEY",
    "ENCRYPTED COSIGN PRIVATE KEY",
];
/// What comes before the point in the DER form of such a public key (RFC 5480, §2).
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A key that was refused. It never shows any of the key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is not in PEM.
    #[error("it is not a key in PEM: {0}")]
    Pem(String),
    /// It is in PEM, and something else.
    #[error("it is a {0:?}, not {1}")]
    Kind(String, &'static str),
    /// It is another kind of key.
    #[error("it is not an ECDSA key on the curve P-256, which cosign generate-key-pair makes")]
    Algorithm,
    /// The encrypted form is not understood.
    #[error("its encryption is not understood: {0}")]
    Format(String),
    /// The password is wrong, or the key is damaged.
    #[error("the password in COSIGN_PASSWORD does not open it")]
    Password,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

/// The key that signatures are checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// X9.62, uncompressed.
    point: Vec<u8>,
}

/// The key that signs. It is not shown in any form but [`SigningKey::generate`]'s.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

impl PublicKey {
    /// Reads a `PUBLIC KEY`.
    ///
    /// # Errors
    /// It is something else.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let pem = parse(text)?;
        if pem.tag() != PUBLIC {
            return Err(KeyError::Kind(pem.tag().to_owned(), "a PUBLIC KEY"));
        }
        let point = pem.contents().strip_prefix(&SPKI_PREFIX);
        let point = point.filter(|point| point.len() == 65 && point[0] == 4);
        Ok(Self {
            point: point.ok_or(KeyError::Algorithm)?.to_vec(),
        })
    }

    /// Writes a `PUBLIC KEY`.
    #[must_use]
    pub fn to_pem(&self) -> String {
        encode(PUBLIC, self.spki())
    }

    /// Whether this key's owner signed the message.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point);
        key.verify(message, signature).is_ok()
    }

    /// What cosign calls the key in a bundle: its digest.
    pub(crate) fn hint(&self) -> String {
        STANDARD.encode(Sha256::digest(self.spki()))
    }

    fn spki(&self) -> Vec<u8> {
        [&SPKI_PREFIX[..], &self.point].concat()
    }
}

impl SigningKey {
    /// Reads a key that cosign made, or an unencrypted PKCS #8 `PRIVATE KEY`.
    ///
    /// # Errors
    /// It is something else, or the password is wrong.
    pub fn from_pem(text: &str, password: &[u8]) -> Result<Self, KeyError> {
        let pem = parse(text)?;
        match pem.tag() {
            tag if ENCRYPTED.contains(&tag) => {
                Self::from_pkcs8(&encrypted::open(pem.contents(), password)?)
            }
            PRIVATE => Self::from_pkcs8(pem.contents()),
            other => Err(KeyError::Kind(
                other.to_owned(),
                "an ENCRYPTED SIGSTORE PRIVATE KEY",
            )),
        }
    }

    /// Makes a key pair: the encrypted private key as cosign reads it, and the public one.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn generate(password: &[u8]) -> Result<(String, PublicKey), KeyError> {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
            .map_err(|_| KeyError::Random)?;
        let key = Self::from_pkcs8(document.as_ref())?;
        let sealed = Sealed::new(document.as_ref(), password)?;
        Ok((encode(ENCRYPTED[0], sealed.to_json()?), key.public))
    }

    /// The key that checks what this one signs.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = self.pair.sign(&SystemRandom::new(), message);
        Ok(signature.map_err(|_| KeyError::Random)?.as_ref().to_vec())
    }

    fn from_pkcs8(document: &[u8]) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document, &random)
            .map_err(|_| KeyError::Algorithm)?;
        let public = PublicKey {
            point: pair.public_key().as_ref().to_vec(),
        };
        Ok(Self { pair, public })
    }
}

fn parse(text: &str) -> Result<Pem, KeyError> {
    // The parser's message could quote what it did not understand.
    pem::parse(text).map_err(|_| KeyError::Pem("it has no -----BEGIN …----- block".into()))
}

fn encode(tag: &str, content: Vec<u8>) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&Pem::new(tag, content), config)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by cosign 3.1.3 with the password "planted-password".
    const COSIGN_KEY: &str = include_str!("testdata/cosign.key");
    const COSIGN_PUB: &str = include_str!("testdata/cosign.pub");

    #[test]
    fn cosigns_keys_are_read() {
        let key = SigningKey::from_pem(COSIGN_KEY, b"planted-password").unwrap();
        let public = PublicKey::from_pem(COSIGN_PUB).unwrap();
        assert_eq!(*key.public(), public);
        assert_eq!(public.to_pem(), COSIGN_PUB);
        let signature = key.sign(b"message").unwrap();
        assert!(public.verify(b"message", &signature));
        assert!(!public.verify(b"massage", &signature));
        let wrong = SigningKey::from_pem(COSIGN_KEY, b"other").err().unwrap();
        assert!(matches!(wrong, KeyError::Password), "{wrong}");
    }

    #[test]
    fn a_new_pair_belongs_together() {
        let (private, public) = SigningKey::generate(b"secret").unwrap();
        let key = SigningKey::from_pem(&private, b"secret").unwrap();
        assert_eq!(*key.public(), public);
        assert_eq!(PublicKey::from_pem(&public.to_pem()).unwrap(), public);
        assert!(SigningKey::from_pem(&private, b"").is_err());
    }

    #[test]
    fn what_is_no_such_key_is_refused_without_showing_it() {
        for bad in ["", "no key", COSIGN_KEY] {
            assert!(PublicKey::from_pem(bad).is_err());
        }
        assert!(SigningKey::from_pem(COSIGN_PUB, b"").is_err());
        let rsa = encode(PUBLIC, vec![0x30; 91]);
        let error = PublicKey::from_pem(&rsa).unwrap_err().to_string();
        assert!(error.contains("P-256"), "{error}");
        let secret = encode(PRIVATE, b"planted-secret".to_vec());
        let error = SigningKey::from_pem(&secret, b"").err().unwrap();
        assert!(!format!("{error} {error:?}").contains("planted"));
    }
}
