//! The encrypted form of cosign's private keys: JSON with a key derived by scrypt and a box sealed
//! by XSalsa20-Poly1305
//! (<https://pkg.go.dev/github.com/secure-systems-lab/go-securesystemslib/encrypted>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::aead::Aead;
use crypto_secretbox::{Key, KeyInit, Nonce, XSalsa20Poly1305};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use super::KeyError;

const KDF: &str = "scrypt";
const CIPHER: &str = "nacl/secretbox";
/// What cosign writes, in log2 of scrypt's N.
const LOG_N: u8 = 16;
/// What cosign reads: a key file must not say how much memory it takes.
const LOG_N_READ: std::ops::RangeInclusive<u8> = 15..=17;
const R: u32 = 8;
const P: u32 = 1;
const NONCE: usize = 24;

/// A sealed document, and how it is opened.
#[derive(Serialize, Deserialize)]
pub(super) struct Sealed {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
struct Kdf {
    name: String,
    params: Params,
    salt: String,
}

#[derive(Serialize, Deserialize)]
struct Params {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Serialize, Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

/// Opens a sealed document.
pub(super) fn open(json: &[u8], password: &[u8]) -> Result<Vec<u8>, KeyError> {
    let refuse = |problem: &str| KeyError::Format(problem.to_owned());
    let sealed: Sealed =
        serde_json::from_slice(json).map_err(|_| refuse("it is not the JSON that it should be"))?;
    let Kdf { name, params, salt } = &sealed.kdf;
    if name != KDF || sealed.cipher.name != CIPHER {
        return Err(refuse(&format!("it is not {KDF} with {CIPHER}")));
    }
    let log_n = LOG_N_READ.clone().find(|log_n| 1 << log_n == params.n);
    let log_n = log_n.filter(|_| (params.r, params.p) == (R, P));
    let log_n = log_n.ok_or_else(|| refuse("scrypt's parameters are none that cosign uses"))?;
    let decode = |text: &str| {
        STANDARD
            .decode(text)
            .map_err(|_| refuse("it is not base64"))
    };
    let nonce = decode(&sealed.cipher.nonce)?;
    if nonce.len() != NONCE {
        return Err(refuse("the nonce is not 24 bytes long"));
    }
    let key = derive(password, &decode(salt)?, log_n)?;
    let ciphertext = decode(&sealed.ciphertext)?;
    XSalsa20Poly1305::new(&key)
        .decrypt(Nonce::from_slice(&nonce), &ciphertext[..])
        .map_err(|_| KeyError::Password)
}

impl Sealed {
    /// Seals a document.
    pub(super) fn new(document: &[u8], password: &[u8]) -> Result<Self, KeyError> {
        let (salt, nonce) = (random::<32>()?, random::<NONCE>()?);
        let key = derive(password, &salt, LOG_N)?;
        let ciphertext = XSalsa20Poly1305::new(&key)
            .encrypt(Nonce::from_slice(&nonce), document)
            .map_err(|_| KeyError::Random)?;
        Ok(Self {
            kdf: Kdf {
                name: KDF.to_owned(),
                params: Params {
                    n: 1 << LOG_N,
                    r: R,
                    p: P,
                },
                salt: STANDARD.encode(salt),
            },
            cipher: Cipher {
                name: CIPHER.to_owned(),
                nonce: STANDARD.encode(nonce),
            },
            ciphertext: STANDARD.encode(ciphertext),
        })
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>, KeyError> {
        serde_json::to_vec(self).map_err(|error| KeyError::Format(error.to_string()))
    }
}

fn derive(password: &[u8], salt: &[u8], log_n: u8) -> Result<Key, KeyError> {
    let refuse = |error: &dyn std::fmt::Display| KeyError::Format(error.to_string());
    let params = scrypt::Params::new(log_n, R, P).map_err(|error| refuse(&error))?;
    let mut key = Key::default();
    scrypt::scrypt(password, salt, &params, &mut key).map_err(|error| refuse(&error))?;
    Ok(key)
}

fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| KeyError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_that_would_take_all_memory_are_refused() {
        let sealed = Sealed::new(b"document", b"password").unwrap();
        let json = String::from_utf8(sealed.to_json().unwrap()).unwrap();
        assert_eq!(open(json.as_bytes(), b"password").unwrap(), b"document");
        for (from, to) in [
            ("65536", "1073741824"),
            ("\"r\":8", "\"r\":800"),
            ("scrypt", "argon2"),
        ] {
            let error = open(json.replace(from, to).as_bytes(), b"password").unwrap_err();
            assert!(matches!(error, KeyError::Format(_)), "{to}: {error}");
        }
    }
}
