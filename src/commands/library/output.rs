//! Where a pull puts its image, looked at before anything is asked.

use crate::error::{Failure, Result, ResultExt};
use std::ffi::{OsStr, OsString};
use std::fs::{FileType, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// A place for a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Output {
    /// As it was named, for messages.
    pub shown: PathBuf,
    /// The directory that the file will be in, links followed.
    pub directory: PathBuf,
    /// Its name there.
    pub name: OsString,
}

impl Output {
    /// Looks at what is there. A link is followed, if it is the user's own or root's; what is there already
    /// must be a regular file, and `force` must allow to replace it.
    ///
    /// # Errors
    /// Nothing could be written there, or something would be lost.
    pub fn find(path: &Path, force: bool, uid: u32) -> Result<Self> {
        let shown = path.display();
        let (Some(name), parent) = (path.file_name(), path.parent().unwrap_or(Path::new(""))) else {
            return Err(Failure::new(format!("{shown} is no name for a file")));
        };
        let here = |name: &OsStr, parent: &Path| Self {
            shown: path.to_path_buf(),
            directory: if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_path_buf() },
            name: name.to_os_string(),
        };
        let found = match path.symlink_metadata() {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let output = here(name, parent);
                output.require_directory()?;
                return Ok(output);
            }
            Err(error) => return Err(error).fail_context(|| format!("looking at {shown}")),
        };
        if !found.is_symlink() {
            require_replaceable(path, &found, force)?;
            return Ok(here(name, parent));
        }
        let target = target(path, &found, uid)?;
        require_replaceable(path, &target.metadata().fail_context(|| format!("looking at {shown}"))?, force)?;
        let (Some(name), Some(parent)) = (target.file_name(), target.parent()) else {
            return Err(Failure::new(format!("{shown} is a link to no file")));
        };
        Ok(here(name, parent))
    }

    fn require_directory(&self) -> Result<()> {
        let directory = self.directory.display();
        match self.directory.metadata() {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => Err(Failure::new(format!("{directory} is not a directory"))),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(Failure::new(format!("the directory {directory} does not exist"))
                    .hint(format!("mkdir -p {}", crate::message::quoted(&self.directory.to_string_lossy()))))
            }
            Err(error) => Err(error).fail_context(|| format!("looking at {directory}")),
        }
    }
}

/// Where a link leads. One that a stranger planted could lead anywhere.
fn target(path: &Path, link: &Metadata, uid: u32) -> Result<PathBuf> {
    let shown = path.display();
    let target = path.canonicalize().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::new(format!("{shown} is a link to what does not exist")),
        _ => Failure::from(error).context(format!("following the link {shown}")),
    })?;
    let owner = target.metadata().fail_context(|| format!("looking at {shown}"))?.uid();
    if link.uid() == uid || link.uid() == 0 || uid == 0 && link.uid() == owner {
        return Ok(target);
    }
    Err(Failure::new(format!("{shown} is a link of uid {}, which is not followed", link.uid())))
}

fn require_replaceable(path: &Path, found: &Metadata, force: bool) -> Result<()> {
    let shown = path.display();
    if found.is_dir() {
        let text = format!("{shown} is a directory");
        return Err(Failure::new(text).hint("to pull into a directory: --dir DIRECTORY"));
    }
    if !found.is_file() {
        return Err(Failure::new(format!("{shown} is {}, not a regular file", kind(found.file_type()))));
    }
    if !force {
        let text =
            format!("Image file already exists: {:?} - will not overwrite", path.display().to_string());
        return Err(Failure::new(text).hint("to replace it: --force"));
    }
    Ok(())
}

fn kind(found: FileType) -> &'static str {
    if found.is_char_device() || found.is_block_device() {
        "a device"
    } else if found.is_fifo() {
        "a FIFO"
    } else {
        "a socket"
    }
}
