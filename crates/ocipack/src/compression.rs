//! How layers are compressed: the formats of the image specification, each with one pinned encoder.

mod gzip;

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use flate2::read::MultiGzDecoder;
use oci_spec::image::MediaType;
use serde::Deserialize;

use gzip::GzipEncoder;

/// Higher levels take longer than the few hundredths that they save are worth.
const GZIP_LEVEL: u8 = 3;
const ZSTD_LEVEL: u8 = 3;
/// Above it the encoder's tables take more than 100 MB.
const ZSTD_MAX_LEVEL: u8 = 19;

/// How a layer is written: `none`, `gzip[:0-9]` or `zstd[:1-19]`; the default is `gzip:3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Compression {
    pub(crate) format: Format,
    level: u8,
}

/// A compression that was refused.
#[derive(Debug, thiserror::Error)]
#[error(
    "compression {0:?} is not none, gzip[:LEVEL] with a level from 0 to 9 or zstd[:LEVEL] with one from 1 to {ZSTD_MAX_LEVEL}"
)]
pub struct CompressionError(String);

/// How a layer is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Plain,
    Gzip,
    Zstd,
}

impl Default for Compression {
    fn default() -> Self {
        Self {
            format: Format::Gzip,
            level: GZIP_LEVEL,
        }
    }
}

impl FromStr for Compression {
    type Err = CompressionError;

    fn from_str(text: &str) -> Result<Self, CompressionError> {
        let refuse = || CompressionError(text.to_owned());
        let (name, level) = text
            .split_once(':')
            .map_or((text, None), |(name, level)| (name, Some(level)));
        let (format, range, default) = match (name, level) {
            ("none", None) => (Format::Plain, 0..=0, 0),
            ("gzip", _) => (Format::Gzip, 0..=9, GZIP_LEVEL),
            ("zstd", _) => (Format::Zstd, 1..=ZSTD_MAX_LEVEL, ZSTD_LEVEL),
            _ => return Err(refuse()),
        };
        let digits = |level: &str| level.bytes().all(|byte| byte.is_ascii_digit());
        let level = match level {
            None => default,
            Some(level) if digits(level) => level.parse().map_err(|_| refuse())?,
            Some(_) => return Err(refuse()),
        };
        if range.contains(&level) {
            Ok(Self { format, level })
        } else {
            Err(refuse())
        }
    }
}

impl TryFrom<String> for Compression {
    type Error = CompressionError;

    fn try_from(text: String) -> Result<Self, CompressionError> {
        text.parse()
    }
}

impl Compression {
    pub(crate) fn encoder<W: Write>(self, out: W) -> io::Result<Encoder<W>> {
        Ok(match self.format {
            Format::Plain => Encoder::Plain(out),
            Format::Gzip => Encoder::Gzip(GzipEncoder::new(out, self.level)?),
            // One thread and no checksum: the frame depends on nothing but the bytes and the level.
            Format::Zstd => Encoder::Zstd(zstd::Encoder::new(out, self.level.into())?),
        })
    }
}

impl Format {
    /// How a layer of this media type is stored; an error names a type that is not known.
    pub(crate) fn of(media_type: &MediaType) -> Result<Self, String> {
        match media_type {
            MediaType::ImageLayer => Ok(Self::Plain),
            MediaType::ImageLayerGzip => Ok(Self::Gzip),
            MediaType::ImageLayerZstd => Ok(Self::Zstd),
            MediaType::Other(other) => match other.as_str() {
                "application/vnd.docker.image.rootfs.diff.tar" => Ok(Self::Plain),
                "application/vnd.docker.image.rootfs.diff.tar.gzip" => Ok(Self::Gzip),
                "application/vnd.docker.image.rootfs.diff.tar.zstd" => Ok(Self::Zstd),
                _ => Err(unknown(media_type)),
            },
            _ => Err(unknown(media_type)),
        }
    }

    pub(crate) fn media_type(self) -> MediaType {
        match self {
            Self::Plain => MediaType::ImageLayer,
            Self::Gzip => MediaType::ImageLayerGzip,
            Self::Zstd => MediaType::ImageLayerZstd,
        }
    }

    pub(crate) fn decoder<'a>(self, stored: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Plain => Box::new(stored),
            Self::Gzip => Box::new(MultiGzDecoder::new(stored)),
            Self::Zstd => Box::new(zstd::Decoder::new(stored)?),
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Plain => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

fn unknown(media_type: &MediaType) -> String {
    format!("has media type {media_type}, not a tar, tar+gzip or tar+zstd layer")
}

/// Compresses what is written to it.
pub(crate) enum Encoder<W: Write> {
    Plain(W),
    Gzip(GzipEncoder<W>),
    Zstd(zstd::Encoder<'static, W>),
}

impl<W: Write> Encoder<W> {
    pub(crate) fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(out) => Ok(out),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    /// Does nothing before the end: a flush in the middle would be part of the bytes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compressed(compression: &str, data: &[u8], piece: usize) -> Vec<u8> {
        let compression: Compression = compression.parse().unwrap();
        let mut encoder = compression.encoder(Vec::new()).unwrap();
        for piece in data.chunks(piece) {
            encoder.write_all(piece).unwrap();
            encoder.flush().unwrap();
        }
        encoder.finish().unwrap()
    }

    #[test]
    fn the_bytes_do_not_depend_on_the_pieces_in_which_they_came() {
        // Compressible, and longer than the encoders' blocks.
        let data: Vec<u8> = (0_u32..300_000)
            .flat_map(|number| (number.wrapping_mul(2_654_435_761) >> 20).to_le_bytes())
            .collect();
        for name in ["none", "gzip:1", "gzip:9", "zstd:1", "zstd:3", "zstd:9"] {
            let whole = compressed(name, &data, data.len());
            for piece in [1000, 8192, 131_072] {
                assert!(compressed(name, &data, piece) == whole, "{name} in {piece}");
            }
            let format = name.parse::<Compression>().unwrap().format;
            let mut back = Vec::new();
            let mut decoder = format.decoder(&whole[..]).unwrap();
            decoder.read_to_end(&mut back).unwrap();
            assert!(back == data, "{name}");
        }
    }

    /// Of more than one piece, so that all that an encoder does is in it.
    #[test]
    fn the_bytes_of_long_content_are_fixed() {
        let data: Vec<u8> = (0_u32..200_000)
            .flat_map(|number| (number.wrapping_mul(2_654_435_761) >> 15).to_le_bytes())
            .collect();
        let digests = ["gzip:1", "gzip:3", "gzip:9"].map(|name| {
            let digest = crate::digest::Blob::new(compressed(name, &data, data.len())).digest;
            digest.digest()[..16].to_owned()
        });
        assert_eq!(
            digests,
            ["8805f8cd33c013ee", "71068794e40a6def", "8b38e615e1744f35"]
        );
    }

    #[test]
    fn levels_are_within_their_range() {
        assert_eq!(
            "gzip".parse::<Compression>().unwrap(),
            Compression::default()
        );
        for good in ["none", "gzip:0", "zstd", "zstd:19"] {
            assert!(good.parse::<Compression>().is_ok(), "{good}");
        }
        for bad in [
            "", "none:1", "gzip:", "gzip:10", "zstd:0", "zstd:20", "zstd:+3", "xz",
        ] {
            assert!(bad.parse::<Compression>().is_err(), "{bad:?} was taken");
        }
    }
}
