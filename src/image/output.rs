//! Where a pull puts its image, looked at before anything is asked.

use crate::error::{Failure, Result};
use crate::fsio::{Destination, Found, Identity, NewFile};
use std::path::{Path, PathBuf};

/// The mode of an image, of which the umask takes its part.
const MODE: u32 = 0o777;

/// A place for a file, whose directory is open from the first look to the end.
#[derive(Debug)]
pub(crate) struct Output {
    /// As it was named, for messages.
    pub shown: PathBuf,
    place: Destination,
}

impl Output {
    /// Looks at what is there. Links are followed by the rules of trust; what is there already must be a
    /// regular file, and `force` must allow to replace it.
    ///
    /// # Errors
    /// Nothing could be written there, or something would be lost.
    pub(crate) fn find(path: &Path, force: bool, who: Identity) -> Result<Self> {
        let shown = path.display();
        if path.file_name().is_none() {
            return Err(Failure::new(format!("{shown} is no name for a file")));
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

    /// Begins the file that will be there.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub(crate) fn begin(&self) -> Result<NewFile> {
        NewFile::create(&self.place.directory, &self.place.name, MODE)
    }

    /// The failure where a file is in the way.
    pub(crate) fn already_exists(&self) -> Failure {
        already_exists(&self.shown)
    }
}

fn already_exists(path: &Path) -> Failure {
    let shown = path.display().to_string();
    Failure::new(format!("Image file already exists: {shown:?} - will not overwrite"))
        .hint("to replace it: --force")
}
