//! One gzip member whose pieces are compressed side by side, each on its own.
//!
//! Where a piece ends is part of the format, and who compresses it is not: the bytes are the same
//! on one processor and on many, and memory is bounded by the pieces that are under way.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use flate2::Crc;
use zlib_rs::{Deflate, DeflateFlush};

/// Bytes of a piece, before compression. Another number makes other bytes.
const PIECE: usize = 256 * 1024;
/// More threads would take more memory than an image may.
const MAX_WORKERS: usize = 8;
/// Pieces under way for each thread: one that is compressed and one that waits.
const AHEAD: usize = 2;
/// log2 of deflate's largest window.
const WINDOW_BITS: u8 = 15;
/// RFC 1952: the operating system is unknown.
const OS_UNKNOWN: u8 = 255;

/// Compresses what is written to it, on as many threads as there are processors.
pub(crate) struct GzipEncoder<W: Write> {
    out: W,
    level: u8,
    /// The bytes since the last whole piece.
    piece: Vec<u8>,
    checksum: Crc,
    most_workers: usize,
    /// None for what is no longer than a piece.
    workers: Option<Workers>,
    /// Pieces under way, in their order.
    pending: VecDeque<Receiver<io::Result<Packed>>>,
}

/// A compressed piece and the checksum of what it was.
struct Packed {
    bytes: Vec<u8>,
    checksum: Crc,
}

impl<W: Write> GzipEncoder<W> {
    /// Writes the header; it tells no file name and no time, so nothing about the content.
    pub(crate) fn new(mut out: W, level: u8) -> io::Result<Self> {
        let effort = match level {
            9 => 2,
            0 | 1 => 4,
            _ => 0,
        };
        out.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, effort, OS_UNKNOWN])?;
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            out,
            level,
            piece: Vec::with_capacity(PIECE),
            checksum: Crc::new(),
            most_workers: processors.min(MAX_WORKERS),
            workers: None,
            pending: VecDeque::new(),
        })
    }

    /// Writes the rest, and the end that every reader checks.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let piece = std::mem::take(&mut self.piece);
        if self.workers.is_none() {
            let packed = pack(&piece, self.level, true)?;
            self.take(&packed)?;
        } else {
            self.give(piece, true)?;
        }
        while let Some(packed) = self.pending.pop_front() {
            self.wait(&packed)?;
        }
        self.out.write_all(&self.checksum.sum().to_le_bytes())?;
        // The length modulo 2^32, as the format has it.
        self.out.write_all(&self.checksum.amount().to_le_bytes())?;
        Ok(self.out)
    }

    /// Has a piece compressed; waits for the oldest when too many are under way.
    fn give(&mut self, piece: Vec<u8>, last: bool) -> io::Result<()> {
        if self.pending.len() >= self.most_workers * AHEAD
            && let Some(oldest) = self.pending.pop_front()
        {
            self.wait(&oldest)?;
        }
        let workers = match &mut self.workers {
            Some(workers) => workers,
            none => none.insert(Workers::start(self.most_workers, self.level)?),
        };
        self.pending.push_back(workers.give(piece, last)?);
        Ok(())
    }

    fn wait(&mut self, packed: &Receiver<io::Result<Packed>>) -> io::Result<()> {
        let packed = packed.recv().map_err(|_| stopped())??;
        self.take(&packed)
    }

    fn take(&mut self, packed: &Packed) -> io::Result<()> {
        self.checksum.combine(&packed.checksum);
        self.out.write_all(&packed.bytes)
    }
}

impl<W: Write> Write for GzipEncoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() == PIECE {
            let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
            self.give(piece, false)?;
        }
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Does nothing before the end: a flush in the middle would be part of the bytes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compresses one piece in one call, so that nothing but its bytes and the level counts.
fn pack(piece: &[u8], level: u8, last: bool) -> io::Result<Packed> {
    let mut deflate = Deflate::new(level.into(), false, WINDOW_BITS);
    // Noise grows by an eighth at most, where each byte takes a code of nine bits.
    let mut bytes = vec![0; piece.len() + piece.len() / 7 + 1024];
    // A flush ends on a whole byte, where the next piece can follow.
    let end = if last {
        DeflateFlush::Finish
    } else {
        DeflateFlush::SyncFlush
    };
    let done = deflate.compress(piece, &mut bytes, end);
    let (read, written) = (deflate.total_in(), deflate.total_out());
    if done.is_err() || read != piece.len() as u64 || written >= bytes.len() as u64 {
        return Err(io::Error::other("a piece did not fit where it was to go"));
    }
    bytes.truncate(usize::try_from(written).unwrap_or(usize::MAX));
    let mut checksum = Crc::new();
    checksum.update(piece);
    Ok(Packed { bytes, checksum })
}

/// Threads that compress pieces until no more can come.
struct Workers {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

struct Job {
    piece: Vec<u8>,
    last: bool,
    packed: Sender<io::Result<Packed>>,
}

impl Workers {
    fn start(number: usize, level: u8) -> io::Result<Self> {
        let (jobs, waiting) = channel::<Job>();
        let waiting = Arc::new(Mutex::new(waiting));
        let mut workers = Self {
            jobs: Some(jobs),
            threads: Vec::new(),
        };
        for _ in 0..number.max(1) {
            let waiting = Arc::clone(&waiting);
            let work = move || {
                while let Some(job) = next(&waiting) {
                    // Nobody waits for it where writing failed before.
                    let _ = job.packed.send(pack(&job.piece, level, job.last));
                }
            };
            workers.threads.push(thread::Builder::new().spawn(work)?);
        }
        Ok(workers)
    }

    fn give(&self, piece: Vec<u8>, last: bool) -> io::Result<Receiver<io::Result<Packed>>> {
        let (packed, receiver) = channel();
        let job = Job {
            piece,
            last,
            packed,
        };
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(job).map_err(|_| stopped())?;
        Ok(receiver)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // No more jobs: that is their sign to end.
        self.jobs = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// The next job; none when there will be no more.
fn next(waiting: &Mutex<Receiver<Job>>) -> Option<Job> {
    let jobs = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    jobs.recv().ok()
}

fn stopped() -> io::Error {
    io::Error::other("a thread that compresses has stopped")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn packed(data: &[u8], level: u8, workers: usize, step: usize) -> Vec<u8> {
        let mut encoder = GzipEncoder::new(Vec::new(), level).unwrap();
        encoder.most_workers = workers;
        for bytes in data.chunks(step) {
            encoder.write_all(bytes).unwrap();
        }
        encoder.finish().unwrap()
    }

    /// What compresses somewhat, and differs along the way.
    fn text(length: usize) -> Vec<u8> {
        let words = (0_u32..).flat_map(|number| {
            (number.wrapping_mul(2_654_435_761) >> (12 + number % 7)).to_le_bytes()
        });
        words.take(length).collect()
    }

    /// What does not compress at all.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn the_bytes_do_not_depend_on_the_number_of_threads() {
        let data = text(9 * PIECE + 12_345);
        for level in [0, 1, 3, 6, 9] {
            let one = packed(&data, level, 1, data.len());
            for (workers, step) in [(2, 1000), (7, PIECE), (7, 5 * PIECE / 2)] {
                assert!(packed(&data, level, workers, step) == one, "level {level}");
            }
        }
    }

    #[test]
    fn it_is_one_member_and_unpacks_to_what_was_written() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            for data in [text(length), noise(length)] {
                for level in 0..=9 {
                    let bytes = packed(&data, level, 2, 8192);
                    // This decoder reads one member and no more.
                    let mut decoder = flate2::bufread::GzDecoder::new(&bytes[..]);
                    let mut back = Vec::new();
                    decoder.read_to_end(&mut back).unwrap();
                    assert!(back == data, "{length} at level {level}");
                    assert!(decoder.into_inner().is_empty());
                }
            }
        }
    }

    #[test]
    fn an_error_of_what_is_written_to_ends_it() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                if self.0 < bytes.len() {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                self.0 -= bytes.len();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut encoder = GzipEncoder::new(Full(100_000), 1).unwrap();
        let written = encoder.write_all(&noise(20 * PIECE));
        let failed = written.and_then(|()| encoder.finish().map(drop));
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
