//! A directory as a root of its own: the kernel resolves every path in it, links included, as if
//! there were nothing above (openat2(2), `RESOLVE_IN_ROOT`).

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT, fchmod, futimens,
    linkat, mkdirat, openat, openat2, symlinkat,
};
use rustix::io::Errno;

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
            path,
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
        mkdirat(&parent, name, WORKING_MODE)?;
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
        let mut file = File::from(openat(&parent, name, flags, Mode::RUSR | Mode::WUSR)?);
        io::copy(content, &mut file)?;
        fchmod(&file, Mode::from_raw_mode(mode))?;
        set_time(&file, mtime)
    }

    pub(super) fn symlink(&self, folder: &str, name: &str, target: &str) -> io::Result<()> {
        let parent = self.folder(folder, FOLDER)?;
        remove(&parent, name)?;
        Ok(symlinkat(target, &parent, name)?)
    }

    /// A second name for a file of the image.
    pub(super) fn hard_link(&self, folder: &str, name: &str, target: &str) -> io::Result<()> {
        let parent = self.folder(folder, FOLDER)?;
        remove(&parent, name)?;
        let target = target.trim_start_matches("./").trim_end_matches('/');
        let (target_folder, target_name) = target.rsplit_once('/').unwrap_or(("", target));
        let target_parent = self.folder(target_folder, FOLDER)?;
        // Not to what a symbolic link points to: without the flag it is not followed.
        linkat(&target_parent, target_name, &parent, name, AtFlags::empty())?;
        Ok(())
    }

    /// Deletes what lower layers brought, if it is there.
    pub(super) fn remove(&self, folder: &str, name: &str) -> io::Result<()> {
        if matches!(name, "" | "." | "..") {
            return Err(crate::read::invalid(format!(
                "a whiteout of {name:?} in {folder:?}"
            )));
        }
        match self.folder(folder, FOLDER) {
            Ok(parent) => remove(&parent, name),
            // What is not there need not be deleted.
            Err(_) => Ok(()),
        }
    }

    /// Deletes all that is in a directory but what `keep` says.
    pub(super) fn clear(&self, folder: &str, keep: impl Fn(&str) -> bool) -> io::Result<()> {
        let Ok(parent) = self.folder(folder, FOLDER) else {
            return Ok(());
        };
        for entry in fs::read_dir(at(&parent, "."))? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            if !keep(&name) {
                remove(&parent, &name)?;
            }
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

/// The path of a name in an open directory, for what the standard library does well: removing
/// whole directories without following links.
fn at(folder: &OwnedFd, name: &str) -> String {
    format!("/proc/self/fd/{}/{name}", folder.as_raw_fd())
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
    let seconds = mtime.split('.').next().and_then(|text| text.parse().ok());
    let modified = Timespec {
        tv_sec: seconds.unwrap_or(0),
        tv_nsec: 0,
    };
    let unchanged = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    };
    let times = Timestamps {
        last_access: unchanged,
        last_modification: modified,
    };
    Ok(futimens(file, &times)?)
}
