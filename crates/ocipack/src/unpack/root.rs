//! A directory as a root of its own: the kernel resolves every path in it, links included, as if
//! there were nothing above (openat2(2), `RESOLVE_IN_ROOT`).

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT, fchmod, futimens,
    linkat, mkdirat, openat, openat2, symlinkat, utimensat,
};
use rustix::io::Errno;

use crate::read::name::{to_bytes, to_text};

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const WORKING_MODE: Mode = Mode::RWXU;

pub(super) struct Root(OwnedFd);

impl Root {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(openat(CWD, path, FOLDER, Mode::empty())?))
    }

    /// A directory of the image; an empty path is the root.
    fn folder(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let path = if path.is_empty() { "." } else { path };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let opened = openat2(
            &self.0,
            to_bytes(path),
            flags | OFlags::CLOEXEC,
            Mode::empty(),
            resolve,
        );
        opened.map_err(|error| match error {
            Errno::NOSYS => io::Error::other("unpacking needs Linux 5.6 or newer (openat2)"),
            error => error.into(),
        })
    }

    /// Makes directories that no entry was seen for.
    pub(super) fn make_parents(&self, parts: &[&str]) -> io::Result<()> {
        for length in 1..=parts.len() {
            let path = parts[..length].join("/");
            if self.folder(&path, FOLDER).is_ok() {
                continue;
            }
            self.directory(&parts[..length - 1].join("/"), parts[length - 1])?;
        }
        Ok(())
    }

    pub(super) fn directory(&self, folder: &str, name: &str) -> io::Result<()> {
        let parent = self.folder(folder, FOLDER)?;
        if fs::symlink_metadata(at(&parent, name)).is_ok_and(|found| found.is_dir()) {
            return Ok(());
        }
        remove(&parent, name)?;
        mkdirat(&parent, to_bytes(name), WORKING_MODE)?;
        // Whatever the umask takes away.
        fs::set_permissions(
            at(&parent, name),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
    }

    pub(super) fn file(
        &self,
        folder: &str,
        name: &str,
        mode: u32,
        mtime: &str,
        content: &mut impl Read,
    ) -> io::Result<()> {
        let parent = self.folder(folder, FOLDER)?;
        remove(&parent, name)?;
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(
            &parent,
            to_bytes(name),
            flags,
            Mode::RUSR | Mode::WUSR,
        )?);
        io::copy(content, &mut file)?;
        fchmod(&file, Mode::from_raw_mode(mode))?;
        set_time(&file, mtime)
    }

    pub(super) fn symlink(
        &self,
        folder: &str,
        name: &str,
        target: &str,
        mtime: &str,
    ) -> io::Result<()> {
        let parent = self.folder(folder, FOLDER)?;
        remove(&parent, name)?;
        symlinkat(to_bytes(target), &parent, to_bytes(name))?;
        let times = modified(mtime);
        Ok(utimensat(
            &parent,
            to_bytes(name),
            &times,
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }

    /// A second name for a file of the image.
    pub(super) fn hard_link(&self, folder: &str, name: &str, target: &str) -> io::Result<()> {
        let parent = self.folder(folder, FOLDER)?;
        remove(&parent, name)?;
        let target = target.trim_start_matches("./").trim_end_matches('/');
        let (target_folder, target_name) = target.rsplit_once('/').unwrap_or(("", target));
        let target_parent = self.folder(target_folder, FOLDER)?;
        // Not to what a symbolic link points to: without the flag it is not followed.
        linkat(
            &target_parent,
            to_bytes(target_name),
            &parent,
            to_bytes(name),
            AtFlags::empty(),
        )?;
        Ok(())
    }

    /// Deletes what lower layers brought, if it is there, but for the paths that `keep` names; it
    /// names their parents too.
    pub(super) fn remove(
        &self,
        folder: &str,
        name: &str,
        keep: &dyn Fn(&str) -> bool,
    ) -> io::Result<()> {
        if matches!(name, "" | "." | "..") {
            return Err(crate::read::invalid(format!(
                "a whiteout of {name:?} in {folder:?}"
            )));
        }
        // What is not there need not be deleted.
        let Ok(parent) = self.folder(folder, FOLDER) else {
            return Ok(());
        };
        let path = join(folder, name);
        if !keep(&path) {
            return remove(&parent, name);
        }
        // Not through a link, which leads to what is not named.
        match fs::symlink_metadata(at(&parent, name)) {
            Ok(found) if found.is_dir() => self.clear(&path, keep),
            _ => Ok(()),
        }
    }

    /// Deletes all that is in a directory, as [`Root::remove`] does.
    pub(super) fn clear(&self, folder: &str, keep: &dyn Fn(&str) -> bool) -> io::Result<()> {
        let Ok(parent) = self.folder(folder, FOLDER) else {
            return Ok(());
        };
        for entry in fs::read_dir(at(&parent, "."))? {
            let name = entry?.file_name();
            self.remove(folder, &to_text(name.as_bytes()), keep)?;
        }
        Ok(())
    }

    pub(super) fn finish_directory(&self, path: &str, mode: u32, mtime: &str) -> io::Result<()> {
        // A later layer may have deleted it, or put something else in its place.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        match self.folder(path, flags) {
            Ok(folder) => {
                set_time(&folder, mtime)?;
                Ok(fchmod(&folder, Mode::from_raw_mode(mode))?)
            }
            Err(_) => Ok(()),
        }
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// The path of a name in an open directory, for what the standard library does well: removing
/// whole directories without following links.
fn at(folder: &OwnedFd, name: &str) -> PathBuf {
    let folder = format!("/proc/self/fd/{}", folder.as_raw_fd());
    Path::new(&folder).join(OsStr::from_bytes(&to_bytes(name)))
}

fn remove(folder: &OwnedFd, name: &str) -> io::Result<()> {
    let path = at(folder, name);
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    }
}

fn set_time(file: impl std::os::fd::AsFd, mtime: &str) -> io::Result<()> {
    Ok(futimens(file, &modified(mtime))?)
}

/// The time of the last change, and none of the last access.
fn modified(mtime: &str) -> Timestamps {
    let unchanged = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    };
    Timestamps {
        last_access: unchanged,
        last_modification: time(mtime),
    }
}

/// Seconds since 1970 with a decimal fraction; what is none is 1970.
fn time(mtime: &str) -> Timespec {
    let (seconds, fraction) = mtime.split_once('.').unwrap_or((mtime, ""));
    let whole = seconds.parse::<i64>().unwrap_or(0);
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let rest = digits.parse::<u32>().map_or(0, i64::from);
    if mtime.starts_with('-') && rest > 0 {
        // Before 1970 the fraction counts from the earlier second on.
        return Timespec {
            tv_sec: whole.saturating_sub(1),
            tv_nsec: 1_000_000_000 - rest,
        };
    }
    Timespec {
        tv_sec: whole,
        tv_nsec: rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_fractions_and_may_be_before_1970() {
        for (text, seconds, nanoseconds) in [
            ("1700000000", 1_700_000_000, 0),
            ("1.25", 1, 250_000_000),
            ("1.1234567891", 1, 123_456_789),
            ("-1", -1, 0),
            ("-1.25", -2, 750_000_000),
            ("-0.25", -1, 750_000_000),
            ("-9223372036854775808.5", i64::MIN, 500_000_000),
            ("1.-5", 1, 0),
            ("", 0, 0),
            ("soon", 0, 0),
        ] {
            let found = time(text);
            assert_eq!(
                (found.tv_sec, found.tv_nsec),
                (seconds, nanoseconds),
                "{text}"
            );
        }
    }
}
