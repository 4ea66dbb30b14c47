//! The trusted certificates: the system's, and those configured by options and environment variables.

use super::settings::Settings;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The certificate bundles of the distributions, in Go's search order. The first one with certificates is used.
const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// The certificate directories of the distributions. All of them are used.
const DIRECTORIES: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

/// The largest certificate file that is read. The bundle of a distribution has about a quarter of a MiB.
const LARGEST: u64 = 16 << 20;
const TOO_LARGE: &str = "is larger than 16 MiB";

type Certificates = Vec<CertificateDer<'static>>;

/// All trusted certificates, without duplicates. As in Go, `SSL_CERT_FILE` replaces the bundle and `SSL_CERT_DIR`
/// replaces the directories.
///
/// # Errors
///
/// One line if a file from `settings` cannot be read or contains no certificate, or if none of its directories can
/// be read. Errors in the system's own store are ignored.
pub(super) fn trusted(settings: &Settings) -> Result<Certificates, String> {
    let mut all = match &settings.cert_file {
        // Explicitly no bundle.
        Some(file) if file == Path::new("/dev/null") => Vec::new(),
        Some(file) => named_file("SSL_CERT_FILE", file)?,
        None => BUNDLES.iter().map(|path| file(Path::new(path))).find(|c| !c.is_empty()).unwrap_or_default(),
    };
    match &settings.cert_dirs {
        Some(dirs) => all.extend(named_directories(dirs)?),
        None => all.extend(DIRECTORIES.iter().flat_map(|path| directory(Path::new(path), file)).flatten()),
    }
    for path in &settings.ca_files {
        all.extend(named_file("--ca-file", path)?);
    }
    for path in settings.cert_directories.iter().flat_map(|directory| crt_files(directory)) {
        all.extend(named_file("the certificate", &path)?);
    }
    all.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
    all.dedup();
    Ok(all)
}

/// Reads a regular file. A device or pipe is refused, because reading it might block or never end.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(CWD, path, flags, Mode::empty()).map_err(|errno| plain(&errno.into()))?;
    let file = File::from(file);
    let found = file.metadata().map_err(|error| plain(&error))?;
    if !found.is_file() {
        return Err(if found.is_dir() { "is a directory" } else { "is not a regular file" }.to_string());
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| plain(&error))?;
    if bytes.len() as u64 > LARGEST { Err(TOO_LARGE.to_string()) } else { Ok(bytes) }
}

fn parse(bytes: &[u8]) -> Certificates {
    CertificateDer::pem_slice_iter(bytes).filter_map(Result::ok).collect()
}

/// The certificates in a file of the system's store; empty if it cannot be read.
fn file(path: &Path) -> Certificates {
    read(path).map(|bytes| parse(&bytes)).unwrap_or_default()
}

/// Calls `read` for each regular file in a directory. A file with several links is read once.
fn directory<T>(path: &Path, read: impl Fn(&Path) -> T) -> Vec<T> {
    let mut seen = BTreeSet::new();
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| {
        let found = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file);
        found.is_some_and(|found| seen.insert((found.dev(), found.ino())))
    });
    files.iter().map(|path| read(path)).collect()
}

/// The certificates in an explicitly configured file.
fn named_file(by: &str, path: &Path) -> Result<Certificates, String> {
    let problem = |what: &str| format!("{by} {}: {what}", path.display());
    let mut found = parse(&read(path).map_err(|what| problem(&what))?);
    found.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
    if found.is_empty() { Err(problem("contains no PEM certificate")) } else { Ok(found) }
}

fn named_directories(paths: &[PathBuf]) -> Result<Certificates, String> {
    if !paths.is_empty() && !paths.iter().any(|path| std::fs::read_dir(path).is_ok()) {
        let shown: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(format!("SSL_CERT_DIR {}: no such directory", shown.join(":")));
    }
    let mut all = Vec::new();
    let checked = |path: &Path| match read(path) {
        Ok(bytes) => Ok(parse(&bytes)),
        Err(what) if what == TOO_LARGE => Err(format!("{} (of SSL_CERT_DIR) {what}", path.display())),
        // Like Go, ignore files that cannot be read or contain no certificate.
        Err(_) => Ok(Vec::new()),
    };
    for found in paths.iter().flat_map(|path| directory(path, checked)) {
        all.extend(found?);
    }
    Ok(all)
}

/// The `*.crt` files in a directory, sorted by name; empty if the directory does not exist.
fn crt_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "crt") && path.is_file());
    files.sort();
    files
}

/// An I/O error without its error number.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_string(),
        io::ErrorKind::PermissionDenied => "permission denied".to_string(),
        _ => error.to_string(),
    }
}
