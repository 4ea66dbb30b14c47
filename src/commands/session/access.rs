//! Discovery of an endpoint's services, and the rules for sending it a token.

use super::Session;
use crate::config::layers::Remote;
use crate::error::{Failure, Result};
use crate::fsio;
use crate::http::{Address, HttpError, HttpErrorKind, Settings};
use crate::services::Client;
use crate::services::endpoint::cache;
use crate::services::endpoint::discovery::{Service, Services};
use crate::services::endpoint::policy::{self, Exposure, Freshness, Origin};
use crate::uri::EndpointUri;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

/// Upper bound for a cache entry: a discovery document of 1 MiB takes less than this.
const CACHE_LIMIT: u64 = 4 << 20;

/// Whether to cache an endpoint's response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Create the cache directory if needed: the command writes files anyway.
    MakingDirectory,
    /// Only if the cache directory exists: the command only reads.
    WhereThereIsOne,
}

/// An endpoint whose services are known.
pub struct Access {
    pub uri: EndpointUri,
    /// The address for requests to the endpoint.
    pub address: Address,
    /// The services it advertises.
    pub services: Services,
    pub http: Client,
}

impl Access {
    /// The service `name`, if the endpoint has it.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.get(name)
    }

    /// Checks that a token may be sent to `service`.
    ///
    /// # Errors
    /// The token must not be sent; the error says why.
    pub fn may_get_token(&self, service: &Service) -> Result<Exposure> {
        policy::may_get_token(&self.address, &service.uri).map_err(Failure::new)
    }
}

impl Session<'_> {
    /// Discovers the services of the endpoint of `remote`, from the endpoint or from the cache.
    ///
    /// # Errors
    /// The remote has no usable address, or the endpoint does not respond and there is no cached copy.
    pub fn open(
        &self,
        remote: &Remote,
        ca_file: Option<PathBuf>,
        freshness: Freshness,
        keep: Keep,
    ) -> Result<Access> {
        self.open_at(remote.endpoint(self)?, remote.insecure, ca_file, freshness, keep)
    }

    /// Like `open`, for an endpoint that is not configured as a remote yet.
    ///
    /// # Errors
    /// The endpoint does not respond and there is no cached copy.
    pub fn open_at(
        &self,
        uri: EndpointUri,
        insecure: bool,
        ca_file: Option<PathBuf>,
        freshness: Freshness,
        keep: Keep,
    ) -> Result<Access> {
        let address = Address::new(uri.url(insecure), insecure);
        let http = self.http(ca_file);
        let services = self.services(&http, &address, freshness, keep)?;
        Ok(Access { uri, address, services, http })
    }

    /// The last known services of the endpoint of `remote`, from the cache, no matter how old. Sends no request.
    pub fn recall(&self, remote: &Remote) -> Option<Access> {
        let uri = remote.endpoint(self).ok()?;
        let address = address_of(&uri, remote);
        let (services, _) = self.cached_services(&address)?;
        Some(Access { uri, address, services, http: self.http(None) })
    }

    /// The HTTP client, with the proxy and certificate settings of the environment.
    pub fn http(&self, ca_file: Option<PathBuf>) -> Client {
        self.http_trusting(ca_file, Vec::new())
    }

    /// Like `http`, but also trusts the certificates in these directories.
    pub fn http_trusting(&self, ca_file: Option<PathBuf>, cert_directories: Vec<PathBuf>) -> Client {
        let mut settings = Settings::from_env(|name| self.ctx.env.get(name).map(ToOwned::to_owned));
        settings.ca_files.extend(ca_file);
        settings.cert_directories = cert_directories;
        settings.trace = self.trace().clone();
        Client::new(settings, self.ctx.limits)
    }

    fn services(
        &self,
        http: &Client,
        address: &Address,
        freshness: Freshness,
        keep: Keep,
    ) -> Result<Services> {
        let copy = self.cached_services(address);
        let whom = host_of(address);
        let (services, origin) =
            self.wait_for(&whom, policy::obtain(http, address, copy, freshness))?.map_err(|error| {
                let odd = matches!(
                    error.kind,
                    HttpErrorKind::Status { status: 404, .. } | HttpErrorKind::Unexpected(_)
                );
                let failure = failure(error).context("while retrieving services");
                let hint = format!("check the address: {whom} does not look like a remote endpoint");
                if odd { failure.hint(hint) } else { failure }
            })?;
        match origin {
            Origin::Asked => self.keep_services(address, &services, keep),
            Origin::Cached => self.ctx.talk.verbose(format!("using the cached services of {whom}")),
            Origin::Stale(error) => self.ctx.talk.warning(format!("{error}; using its cached answer")),
        }
        for skipped in services.skipped() {
            self.ctx.talk.debug(format!("{}: {skipped}", address.url));
        }
        Ok(services)
    }

    /// The cached services of the endpoint at `address`, and their age.
    pub fn cached_services(&self, address: &Address) -> Option<(Services, Duration)> {
        let directory = self.paths.user_dir.as_ref().ok()?;
        let bytes =
            fsio::read_cache(directory, &cache::file_name(&address.url), self.identity(), CACHE_LIMIT)?;
        cache::decode(&bytes, address, self.now())
    }

    /// Caches the services. Commands that only read do not create the cache directory.
    pub fn keep_services(&self, address: &Address, services: &Services, keep: Keep) {
        let Ok(directory) = &self.paths.user_dir else { return };
        let bytes = cache::encode(address, services, self.now());
        let name = cache::file_name(&address.url);
        if let Err(error) =
            fsio::write_cache(directory, &name, &bytes, self.identity(), keep == Keep::MakingDirectory)
        {
            self.ctx.talk.debug(format!("could not cache {name}: {error}"));
        }
    }

    /// Whether read-only commands cache what they look up, i.e. whether the cache directory exists.
    pub fn keeps_services(&self) -> bool {
        self.paths.user_dir.as_ref().is_ok_and(|directory| fsio::has_cache(directory))
    }

    /// The current time in seconds since 1970.
    pub fn now(&self) -> u64 {
        (self.ctx.now)().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

/// The address for requests to the endpoint of `remote`.
pub(crate) fn address_of(uri: &EndpointUri, remote: &Remote) -> Address {
    Address::new(uri.url(remote.insecure), remote.insecure)
}

/// The host and port of `address`, for messages.
pub(crate) fn host_of(address: &Address) -> String {
    let host = address.url.host_str().unwrap_or_default();
    address.url.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"))
}

/// Converts a failed request into a command failure with hints.
pub(crate) fn failure(error: HttpError) -> Failure {
    let hint = error.hint();
    let failure = Failure::from(error);
    hint.into_iter().fold(failure, |failure, hint| failure.hint(hint))
}
