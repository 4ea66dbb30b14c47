//! The certificates that are trusted: the system's, and those that the surroundings name.

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

/// The bundle of the distributions, in the order in which Go looks; the first that has certificates is it.
const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// The directories of the distributions; all of them count.
const DIRECTORIES: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

/// A larger file holds no certificates; the bundle of a distribution has a quarter of a MiB.
const LARGEST: u64 = 16 << 20;
const TOO_LARGE: &str = "is larger than 16 MiB";

type Certificates = Vec<CertificateDer<'static>>;

/// All of them, each once. Go's rule: `SSL_CERT_FILE` stands in for the bundle, `SSL_CERT_DIR` for the
/// directories.
///
/// # Errors
///
/// One line when a file that `settings` name cannot be read or holds no certificate, or when no directory of
/// theirs can be read. What is broken in the system's own store is passed over.
pub(super) fn trusted(settings: &Settings) -> Result<Certificates, String> {
    let mut all = match &settings.cert_file {
        // At its word: no bundle.
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

/// The bytes of a regular file: a device or a pipe may never end, or never begin.
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

/// The certificates of a file of the system; none where it cannot be read.
fn file(path: &Path) -> Certificates {
    read(path).map(|bytes| parse(&bytes)).unwrap_or_default()
}

/// What `read` makes of the regular files in a directory, each read once however many links lead to it.
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

/// The certificates of a file that somebody names.
fn named_file(by: &str, path: &Path) -> Result<Certificates, String> {
    let problem = |what: &str| format!("{by} {}: {what}", path.display());
    let mut found = parse(&read(path).map_err(|what| problem(&what))?);
    found.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
    if found.is_empty() { Err(problem("holds no certificate in PEM form")) } else { Ok(found) }
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
        // What cannot be read, and what is no certificate, is passed over as Go does.
        Err(_) => Ok(Vec::new()),
    };
    for found in paths.iter().flat_map(|path| directory(path, checked)) {
        all.extend(found?);
    }
    Ok(all)
}

/// The `*.crt` of a directory in the order of their names; none where there is no such directory.
fn crt_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "crt") && path.is_file());
    files.sort();
    files
}

/// An IO error without its number.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_string(),
        io::ErrorKind::PermissionDenied => "permission denied".to_string(),
        _ => error.to_string(),
    }
}
