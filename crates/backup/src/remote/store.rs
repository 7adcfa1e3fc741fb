//! The store behind an address: who speaks to it, how long, and what its errors mean.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredentialProvider, Checksum};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::client::{HttpClient, HttpConnector};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::{BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, ObjectStoreScheme, RetryConfig};
use reqwest::Certificate;
use url::Url;

use super::bounded::Bounded;
use super::bucket::Bucket;
use super::environment::is_true;
use super::lock::{Lock, Locking};
use super::words::explain;
use super::{Address, environment, transport};
use crate::{Error, bounds, durable, openat};

#[derive(Clone, Debug)]
pub struct Options {
    pub timeout: Duration,
    /// How often a request that failed for a reason that may pass is sent again.
    pub retries: usize,
    /// Certificates (PEM) to trust beside the well-known ones.
    pub ca: Option<PathBuf>,
    /// The lock of whatever is written; only S3 has locks.
    pub lock: Option<Lock>,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Begin and end of the pauses between retries.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Opens a store with what the environment says of it: `AWS_…`, `AZURE_…`, `GOOGLE_…`; and with it, if it is of S3, its bucket.
pub(super) fn open(address: &Address, options: &Options) -> Result<(Arc<dyn ObjectStore>, Option<Bucket>), Error> {
    if address.scheme == ObjectStoreScheme::AmazonS3 {
        return s3(address, options);
    }
    if options.lock.is_some() {
        let reason = format!("--lock-for needs an S3 bucket (s3://); locks are not supported on {address}");
        return Err(Error::RemoteAddress { reason });
    }
    let store = other(address, options)?;
    Ok((store, None))
}

impl Bucket {
    /// The bucket at `url`.
    ///
    /// # Errors
    /// [`Error::RemoteAddress`] if it is not `s3://`, or what the environment says of its store makes no sense.
    pub fn open(url: &str, options: &Options) -> Result<Self, Error> {
        let address: Address = url.parse().map_err(|reason| Error::RemoteAddress { reason })?;
        let reason = format!("{address} is not an S3 bucket (s3://)");
        open(&address, options)?.1.ok_or(Error::RemoteAddress { reason })
    }
}

fn s3(address: &Address, options: &Options) -> Result<(Arc<dyn ObjectStore>, Option<Bucket>), Error> {
    let refused = |error: object_store::Error| Error::RemoteAddress { reason: explain(&error) };
    environment::check(&address.scheme)?;
    let mut builder = AmazonS3Builder::from_env().with_url(address.url.as_str()).with_retry(retry(options));
    let allows_http = builder.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
    endpoint(builder.get_config_value(&AmazonS3ConfigKey::Endpoint), allows_http, "AWS_ALLOW_HTTP")?;
    if options.lock.is_some() {
        // S3 asks for a checksum with whatever is to be locked.
        builder = builder.with_checksum_algorithm(Checksum::SHA256);
    }
    let connector = Connector::new(options)?;
    let (made, credentials) = (connector.made.clone(), connector.credentials.clone());
    let store = builder.with_http_connector(connector).build().map_err(refused)?;
    // Nothing was sent yet.
    let _ = credentials.set(store.credentials().clone());
    let client = made.lock().unwrap_or_else(PoisonError::into_inner).take();
    let bucket = client.map(|client| Bucket::new(store.clone(), client, options.retries, address));
    Ok((Arc::new(store), bucket))
}

fn other(address: &Address, options: &Options) -> Result<Arc<dyn ObjectStore>, Error> {
    let refused = |error: object_store::Error| Error::RemoteAddress { reason: explain(&error) };
    environment::check(&address.scheme)?;
    let url = address.url.as_str();
    let retry = retry(options);
    Ok(match address.scheme {
        ObjectStoreScheme::GoogleCloudStorage => {
            let builder = GoogleCloudStorageBuilder::from_env().with_url(url).with_retry(retry);
            Arc::new(builder.with_http_connector(Connector::new(options)?).build().map_err(refused)?)
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let builder = MicrosoftAzureBuilder::from_env().with_url(url).with_retry(retry);
            let allows_http = builder.get_config_value(&AzureConfigKey::Client(ClientConfigKey::AllowHttp));
            endpoint(builder.get_config_value(&AzureConfigKey::Endpoint), allows_http, "AZURE_ALLOW_HTTP")?;
            Arc::new(builder.with_http_connector(Connector::new(options)?).build().map_err(refused)?)
        }
        _ => Arc::new(directory(address)?),
    })
}

/// The store's client would panic over an endpoint that is no URL, and say of http only that it does not build a request.
fn endpoint(given: Option<String>, allows_http: Option<String>, setting: &str) -> Result<(), Error> {
    let Some(given) = given else { return Ok(()) };
    // A URL forgives characters that a request does not.
    let is_plain = !given.contains([' ', '"', '<', '>', '\\', '^', '`', '{', '|', '}']);
    let fits = |url: &Url| is_plain && url.has_host() && ["http", "https"].contains(&url.scheme());
    let url = given.parse::<Url>().ok().filter(fits);
    let reason = match url {
        None => format!("invalid endpoint {given:?} in the environment: expected http:// or https:// and a host"),
        Some(url) if url.scheme() == "http" && !allows_http.is_some_and(|value| is_true(&value)) => format!(
            "the endpoint {given:?} is not encrypted, so others could read and change the traffic; use https://, or \
             set {setting}=true if nobody else is on that network"
        ),
        Some(_) => return Ok(()),
    };
    Err(Error::RemoteAddress { reason })
}

/// A directory has to exist: that of a volume that is not mounted must not be filled.
fn directory(address: &Address) -> Result<LocalFileSystem, Error> {
    let reason = || Error::RemoteAddress { reason: "a file URL needs the absolute path of a directory".into() };
    let path = address.url.to_file_path().map_err(|()| reason())?;
    if !path.is_dir() {
        return Err(Error::NoRepository { path });
    }
    let opened = LocalFileSystem::new_with_prefix(&path);
    let store = opened.map_err(|error| Error::remote("open", address.to_string(), explain(&error)))?;
    // It would fail where the directory cannot be synced; `Remote::settle` does what can be done there.
    Ok(store.with_fsync(durable::try_sync_directory(&path)?).with_automatic_cleanup(true))
}

fn retry(options: &Options) -> RetryConfig {
    let (init_backoff, max_backoff) = BACKOFF;
    RetryConfig {
        backoff: BackoffConfig { init_backoff, max_backoff, base: 2.0 },
        max_retries: options.retries,
        // The number of retries is the bound: as much time as they may take.
        retry_timeout: (options.timeout + max_backoff)
            .saturating_mul(u32::try_from(options.retries).unwrap_or(u32::MAX)),
    }
}

/// Adds certificates and limits to what the environment says of connections.
#[derive(Debug)]
struct Connector {
    trusted: Vec<Certificate>,
    timeout: Duration,
    lock: Option<Lock>,
    /// The last client that was made, which is the store's: those of its credentials come before it.
    made: Arc<Mutex<Option<HttpClient>>>,
    credentials: Arc<OnceLock<AwsCredentialProvider>>,
}

impl Connector {
    fn new(options: &Options) -> Result<Self, Error> {
        // Fails if there is one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut trusted = Vec::new();
        for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
            let root = Certificate::from_der(root);
            trusted.push(root.map_err(|error| Error::RemoteAddress { reason: error.to_string() })?);
        }
        if let Some(path) = &options.ca {
            let pem =
                openat::bytes_given(path, bounds::SECRET_BYTES).map_err(Error::io("read the certificates in", path))?;
            let unfit = |reason: String| Error::io("read the certificates in", path)(std::io::Error::other(reason));
            let own = Certificate::from_pem_bundle(&pem).map_err(|error| unfit(error.to_string()))?;
            if own.is_empty() {
                return Err(unfit("expected PEM (BEGIN CERTIFICATE), found none".into()));
            }
            trusted.extend(own);
        }
        let (made, credentials) = (Arc::default(), Arc::default());
        Ok(Self { trusted, timeout: options.timeout, lock: options.lock, made, credentials })
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = transport::client(options, &self.trusted, (self.timeout, CONNECT_TIMEOUT.min(self.timeout)))?;
        let client = HttpClient::new(Bounded::new(client));
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
        Ok(match self.lock {
            Some(lock) => HttpClient::new(Locking { inner: client, lock, credentials: self.credentials.clone() }),
            None => client,
        })
    }
}
