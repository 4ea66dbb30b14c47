//! The keyservers of a remote: the configured ones in lookup order, and the one that the endpoint itself
//! advertises.

use super::Session;
use super::access::{Keep, address_of, host_of};
use crate::config::layers::{CLOUD_APPTAINER_KEYSERVER, Effective, Remote};
use crate::config::{Credential, Keyserver};
use crate::error::Result;
use crate::http::{Address, HttpError};
use crate::message::cut;
use crate::services::Client;
use crate::services::endpoint::discovery::{self, Services};
use crate::services::endpoint::policy::Freshness;
use crate::uri::{EndpointUri, ServiceUri, public};
use std::collections::BTreeMap;

/// The keyserver that an endpoint itself advertises, or why it is unknown.
pub(crate) type OwnKeyserver = Result<String, String>;

/// The keyservers of `remote` in lookup order: the configured ones, or else its `own`.
pub(crate) fn in_order(remote: &Remote, own: Option<&str>) -> Vec<Keyserver> {
    if !remote.keyservers.is_empty() {
        return remote.keyservers.iter().filter(|keyserver| !keyserver.skip).cloned().collect();
    }
    own.map(|uri| Keyserver { uri: uri.into(), ..Keyserver::default() }).into_iter().collect()
}

/// Whether a stored login is for the server at `uri`.
pub(crate) fn is_login_to(login: &Credential, uri: &ServiceUri) -> bool {
    ServiceUri::from_stored(&login.uri).is_some_and(|own| own.same_server(uri))
}

impl Session<'_> {
    /// The own keyserver of `remote`, without a request. `None` if the endpoint's response is not cached.
    pub fn known_own_keyserver(&self, remote: &Remote) -> Option<OwnKeyserver> {
        if remote.is_cloud_apptainer() {
            return Some(Ok(CLOUD_APPTAINER_KEYSERVER.to_string()));
        }
        let Some(uri) = EndpointUri::from_stored(&remote.uri) else {
            return Some(Err("the remote has no usable address".to_string()));
        };
        let (services, _) = self.cached_services(&address_of(&uri, remote))?;
        Some(named_in(&services))
    }

    /// The own keyservers, by remote name, of all remotes without configured keyservers. Endpoints whose response
    /// is not cached are queried in parallel.
    ///
    /// # Errors
    /// No request can be made.
    pub fn own_keyservers(&self, effective: &Effective) -> Result<BTreeMap<String, OwnKeyserver>> {
        let mut own = BTreeMap::new();
        let mut unknown = Vec::new();
        for remote in effective.remotes.values().filter(|remote| remote.keyservers.is_empty()) {
            match (self.known_own_keyserver(remote), EndpointUri::from_stored(&remote.uri)) {
                (None, Some(uri)) => unknown.push((remote.name.clone(), address_of(&uri, remote))),
                (known, _) => own.extend(known.map(|known| (remote.name.clone(), known))),
            }
        }
        if unknown.is_empty() {
            return Ok(own);
        }
        let http = self.http(None);
        let whom = match unknown.as_slice() {
            [(_, address)] => host_of(address),
            more => format!("{} endpoints", more.len()),
        };
        let answers = self.wait_for(&whom, ask_all(&http, &unknown))?;
        for ((name, address), answer) in unknown.into_iter().zip(answers) {
            let keyserver = match answer {
                Ok(services) => {
                    self.keep_services(&address, &services, Keep::WhereThereIsOne);
                    named_in(&services)
                }
                Err(error) => Err(error.to_string()),
            };
            own.insert(name, keyserver);
        }
        Ok(own)
    }

    /// The own keyserver of `remote`, to be saved in its list of keyservers next to added ones. Queries the
    /// endpoint if its response is not cached.
    ///
    /// # Errors
    /// The endpoint does not respond.
    pub fn own_keyserver_to_list(&self, remote: &Remote) -> Result<Option<String>> {
        if remote.is_cloud_apptainer() {
            return Ok(Some(CLOUD_APPTAINER_KEYSERVER.to_string()));
        }
        let access =
            self.open(remote, None, Freshness::PreferCache, Keep::WhereThereIsOne).map_err(|failure| {
                failure.context(format!("cannot determine the own keyserver of {}", remote.name))
            })?;
        let own = access.service("keyserver").map(|service| public(&service.uri).into_owned());
        if own.is_none() {
            self.ctx.talk.info(format!("{} has no keyserver of its own", remote.name));
        }
        Ok(own)
    }
}

fn named_in(services: &Services) -> OwnKeyserver {
    let service = services.get("keyserver").map(|service| cut(&service.uri).into_owned());
    service.ok_or_else(|| "the endpoint advertises none".to_string())
}

/// Queries all endpoints in parallel and returns their responses in the same order.
async fn ask_all(http: &Client, endpoints: &[(String, Address)]) -> Vec<Result<Services, HttpError>> {
    let tasks: Vec<_> = endpoints
        .iter()
        .map(|(_, address)| {
            let (http, address) = (http.clone(), address.clone());
            let patience = http.limits().listing;
            tokio::spawn(async move { discovery::fetch_within(&http, &address, patience).await })
        })
        .collect();
    let mut answers = Vec::with_capacity(tasks.len());
    for task in tasks {
        match task.await {
            Ok(answer) => answers.push(answer),
            // A task is never cancelled, so it only fails by panicking.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    answers
}
