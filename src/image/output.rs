//! The output file of a pull. It is checked before any request is sent.

use crate::error::{Failure, Result};
use crate::fsio::{Destination, Found, Identity, NewFile};
use std::path::{Path, PathBuf};

/// The mode of an image file, before the umask is applied.
const MODE: u32 = 0o777;

/// The path of a new file. Its directory stays open from the first check to the end.
#[derive(Debug)]
pub(crate) struct Output {
    /// As the user gave it, for messages.
    pub shown: PathBuf,
    place: Destination,
}

impl Output {
    /// Checks the path. Symlinks are followed by the rules of trust. An existing file must be a regular file, and
    /// `force` must be set to replace it.
    ///
    /// # Errors
    /// The path is not writable, or writing it would destroy something.
    pub(crate) fn find(path: &Path, force: bool, who: Identity) -> Result<Self> {
        let shown = path.display();
        if path.file_name().is_none() {
            return Err(Failure::new(format!("invalid file name {shown}")));
        }
        let place = Destination::find(path, who)?;
        match place.found {
            None => {}
            Some(Found::File) if force => {}
            Some(Found::File) => return Err(already_exists(path)),
            Some(Found::Directory) => {
                let text = format!("{shown} is a directory");
                return Err(Failure::new(text).hint("to pull into a directory: --dir DIRECTORY"));
            }
            Some(Found::Other(kind)) => {
                return Err(Failure::new(format!("{shown} is {kind}, not a regular file")));
            }
        }
        Ok(Self { shown: path.to_path_buf(), place })
    }

    /// Creates a temporary file for the output.
    ///
    /// # Errors
    /// The directory is not writable.
    pub(crate) fn begin(&self) -> Result<NewFile> {
        NewFile::create(&self.place.directory, &self.place.name, MODE)
    }

    /// The error for a file that exists and must not be replaced.
    pub(crate) fn already_exists(&self) -> Failure {
        already_exists(&self.shown)
    }
}

fn already_exists(path: &Path) -> Failure {
    let shown = path.display().to_string();
    Failure::new(format!("Image file already exists: {shown:?} - will not overwrite"))
        .hint("to replace it: --force")
}
