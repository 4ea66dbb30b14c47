//! Go's names for the architectures of images and of this machine.

use std::fmt;
use std::str::FromStr;

/// The architectures of images: the code in the image header, and Go's name.
const ARCHITECTURES: [(&[u8; 3], &str); 13] = [
    (b"01\0", "386"),
    (b"02\0", "amd64"),
    (b"03\0", "arm"),
    (b"04\0", "arm64"),
    (b"05\0", "ppc64"),
    (b"06\0", "ppc64le"),
    (b"07\0", "mips"),
    (b"08\0", "mipsle"),
    (b"09\0", "mips64"),
    (b"10\0", "mips64le"),
    (b"11\0", "s390x"),
    (b"12\0", "riscv64"),
    (b"13\0", "loong64"),
];

/// The architecture of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arch(&'static str);

/// The text is not a known architecture. The message lists them.
#[derive(Debug)]
pub struct UnknownArch(String);

impl Arch {
    /// Looks up the code in an image header: two digits and a zero byte. `None` for an unknown code, such as one
    /// that was added after this list was made.
    pub fn of_code(code: [u8; 3]) -> Option<Self> {
        ARCHITECTURES.iter().find(|(known, _)| **known == code).map(|(_, name)| Self(name))
    }

    /// The name that Go uses.
    pub fn name(self) -> &'static str {
        self.0
    }
}

impl FromStr for Arch {
    type Err = UnknownArch;

    fn from_str(text: &str) -> Result<Self, UnknownArch> {
        let known = ARCHITECTURES.iter().find(|(_, name)| *name == text);
        known.map(|(_, name)| Self(name)).ok_or_else(|| UnknownArch(text.to_string()))
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for UnknownArch {}

impl fmt::Display for UnknownArch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = ARCHITECTURES.iter().map(|(_, name)| *name).collect();
        write!(f, "unknown architecture {:?}; use one of {}", self.0, names.join(", "))
    }
}

/// Go's name of this machine's architecture (`amd64`, `arm64`, `ppc64le` …). Libraries use the same names.
pub fn go_arch() -> &'static str {
    let little = cfg!(target_endian = "little");
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" if little => "ppc64le",
        "powerpc64" => "ppc64",
        "mips" if little => "mipsle",
        "mips64" if little => "mips64le",
        "loongarch64" => "loong64",
        same => same,
    }
}
