//! Content addresses: sha256 over bytes at hand and over bytes passing by, and the one JSON
//! form that makes equal documents equal bytes.

use std::io::{self, Read, Write};

use oci_spec::image::Digest;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::content::{Content, PIECE};

/// Content with its address.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    pub(crate) content: Content,
}

impl Blob {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self {
            digest: finish(Sha256::new_with_prefix(&bytes)),
            content: bytes.into(),
        }
    }

    /// The blob of a JSON document: keys sorted, no spaces.
    pub(crate) fn json(document: &impl Serialize) -> Result<Self, serde_json::Error> {
        let mut value = serde_json::to_value(document)?;
        value.sort_all_objects();
        Ok(Self::new(serde_json::to_vec(&value)?))
    }

    pub(crate) fn size(&self) -> u64 {
        self.content.size()
    }
}

/// Counts and hashes what is read or written through it.
pub(crate) struct Hashing<T> {
    pub(crate) inner: T,
    pub(crate) count: u64,
    hasher: Sha256,
}

impl<T> Hashing<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self {
            inner,
            count: 0,
            hasher: Sha256::new(),
        }
    }

    pub(crate) fn finish(self) -> (Digest, T) {
        (finish(self.hasher), self.inner)
    }

    fn saw(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.count += bytes.len() as u64;
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.saw(&buffer[..read]);
        Ok(read)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.saw(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn finish(hasher: Sha256) -> Digest {
    use std::fmt::Write as _;
    let mut text = String::from("sha256:");
    for byte in hasher.finalize() {
        write!(text, "{byte:02x}").expect("writing to a String does not fail");
    }
    Digest::try_from(text).expect("64 hexadecimal digits are a sha256 digest")
}

/// The digest of all that is left to read.
pub(crate) fn digest_of(reader: impl Read) -> io::Result<Digest> {
    let mut reader = io::BufReader::with_capacity(PIECE, Hashing::new(reader));
    io::copy(&mut reader, &mut io::sink())?;
    Ok(reader.into_inner().finish().0)
}

/// Where a blob lies in a layout (image-layout.md, "Blobs").
pub(crate) fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.digest())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standard() {
        // FIPS 180-4, example for "abc".
        let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Blob::new(b"abc".to_vec()).digest.as_ref(), abc);
        let mut through = Hashing::new(&b"abc"[..]);
        io::copy(&mut through, &mut io::sink()).unwrap();
        assert_eq!(through.count, 3);
        assert_eq!(through.finish().0.as_ref(), abc);
    }

    #[test]
    fn a_part_of_a_file_has_the_digest_of_its_bytes() {
        use std::sync::Arc;

        use crate::content::Section;

        const LARGE: u64 = 8 * PIECE as u64;
        let bytes: Vec<u8> = (0..3 * LARGE).map(|number| (number % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let file = Arc::new(file);
        for (start, size) in [(0, LARGE), (1, LARGE + 5), (7, 2 * LARGE), (0, 10)] {
            let section = Section::new(Arc::clone(&file), start, size);
            let part = &bytes[start as usize..(start + size) as usize];
            assert_eq!(digest_of(section).unwrap(), Blob::new(part.to_vec()).digest);
        }
    }

    #[test]
    fn json_has_sorted_keys_at_every_depth_and_no_spaces() {
        let document = serde_json::json!({"b": [{"z": 1, "a": "x y"}], "a": null, "B": 0});
        let blob = Blob::json(&document).unwrap();
        let mut json = String::new();
        blob.content.read_from(0).read_to_string(&mut json).unwrap();
        assert_eq!(json, r#"{"B":0,"a":null,"b":[{"a":"x y","z":1}]}"#);
    }
}
