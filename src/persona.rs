//! Apptainer or SingularityCE: the names, prefixes, directories and built-in remote of each.

use std::path::Path;

/// Which real program this one stands in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persona {
    Apptainer,
    Singularity,
}

impl Persona {
    /// By the name of the executable file itself, links resolved: the link `singularity` → `apptainer`,
    /// which Apptainer ships, stays Apptainer.
    pub fn of_executable(resolved: &Path) -> Self {
        match resolved.file_name() {
            Some(name) if name == "singularity" => Self::Singularity,
            _ => Self::Apptainer,
        }
    }

    /// The command's name, and that of its directory below `etc`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Apptainer => "apptainer",
            Self::Singularity => "singularity",
        }
    }

    /// How a person calls the program.
    pub fn title(self) -> &'static str {
        match self {
            Self::Apptainer => "Apptainer",
            Self::Singularity => "SingularityCE",
        }
    }

    /// Prefixes of environment variables, the preferred one first.
    pub fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Apptainer => &["APPTAINER_", "SINGULARITY_"],
            Self::Singularity => &["SINGULARITY_"],
        }
    }

    /// The user's directory below the home.
    pub fn dot_directory(self) -> &'static str {
        match self {
            Self::Apptainer => ".apptainer",
            Self::Singularity => ".singularity",
        }
    }

    /// Name and host of the remote that the real program ships.
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
