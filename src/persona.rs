//! Apptainer or SingularityCE: their names, prefixes, directories and built-in remotes.

use std::path::Path;

/// The real program that this one replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persona {
    Apptainer,
    Singularity,
}

impl Persona {
    /// Derived from the name of the executable file with symlinks resolved. So the symlink `singularity` →
    /// `apptainer` that Apptainer installs is still Apptainer.
    pub fn of_executable(resolved: &Path) -> Self {
        match resolved.file_name() {
            Some(name) if name == "singularity" => Self::Singularity,
            _ => Self::Apptainer,
        }
    }

    /// The command's name, and the name of its directory below `etc`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Apptainer => "apptainer",
            Self::Singularity => "singularity",
        }
    }

    /// The program's name in messages.
    pub fn title(self) -> &'static str {
        match self {
            Self::Apptainer => "Apptainer",
            Self::Singularity => "SingularityCE",
        }
    }

    /// The prefixes of environment variables, preferred one first.
    pub fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Apptainer => &["APPTAINER_", "SINGULARITY_"],
            Self::Singularity => &["SINGULARITY_"],
        }
    }

    /// The name of the user's directory in the home.
    pub fn dot_directory(self) -> &'static str {
        match self {
            Self::Apptainer => ".apptainer",
            Self::Singularity => ".singularity",
        }
    }

    /// Name and host of the remote that is built into the real program.
    pub fn built_in_remote(self) -> (&'static str, &'static str) {
        match self {
            Self::Apptainer => ("DefaultRemote", "cloud.apptainer.org"),
            Self::Singularity => ("SylabsCloud", "cloud.sylabs.io"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_file_called_singularity_is_singularity() {
        assert_eq!(Persona::of_executable(Path::new("/usr/bin/singularity")), Persona::Singularity);
        assert_eq!(Persona::of_executable(Path::new("/usr/bin/apptainer")), Persona::Apptainer);
        assert_eq!(Persona::of_executable(Path::new("/usr/bin/apptainer-remote")), Persona::Apptainer);
    }
}
