//! Architectures of images, and this machine's, by Go's names.

use std::fmt;
use std::str::FromStr;

/// The architectures that an image can be for: their codes in its header, and Go's names.
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

/// An architecture that an image can be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arch(&'static str);

/// What was read is not an architecture of images. The message lists them.
#[derive(Debug)]
pub struct UnknownArch(String);

impl Arch {
    /// By its code in the header of an image, two digits and a zero byte; a number that came after the list was made
    /// tells nothing here.
    pub fn of_code(code: [u8; 3]) -> Option<Self> {
        ARCHITECTURES.iter().find(|(known, _)| **known == code).map(|(_, name)| Self(name))
    }

    /// Go's name.
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
        write!(f, "unknown architecture {:?}; known are: {}", self.0, names.join(", "))
    }
}

/// This machine's architecture by Go's name (`amd64`, `arm64`, `ppc64le` …), as libraries know it.
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
