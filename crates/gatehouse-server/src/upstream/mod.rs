//! The way to providers: pooled connections, deadlines, and the first byte.

mod connection;
mod framing;
mod head;
mod pool;
pub(crate) mod tls;
mod upload;

pub(crate) use connection::Stream;
pub use connection::{Answer, Switched};
pub(crate) use framing::Broken;
pub use upload::{Pieces, Upload};

use bytes::Bytes;
use connection::{Connection, Origin, Unanswered};
use gatehouse_core::error::{Code, Error};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri, header};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use pool::Pool;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tower_service::Service as _;

/// The connections to one provider. Cheap to clone; lives as long as a call uses it.
#[derive(Clone)]
pub struct Upstream {
    connector: HttpsConnector<HttpConnector>,
    connect: Duration,
    pool: Arc<Pool>,
}

// === impl Upstream ===

impl Upstream {
    /// No connection yet; each may take so long to come about, TLS included.
    #[must_use]
    pub fn new(connect: Duration) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(connect));
        // HTTP/1.1 only: leaving a call closes its connection at once, and no call waits behind another.
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls::TLS.as_ref().clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Self { connector, connect, pool: Arc::new(Pool::new()) }
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// `upstream_unreachable` when no connection came about (nothing was sent), `upstream_timeout` when the
    /// time is over, `upstream_bad_response` when what came was no answer.
    pub async fn send(&self, request: Request<Bytes>, limit: Duration) -> Result<Response<Answer>, Error> {
        tokio::time::timeout(limit, pin!(self.ask(request)))
            .await
            .unwrap_or_else(|_| Err(Error::new(Code::UpstreamTimeout, "the provider did not answer in time")))
    }

    /// Sends a request whose body is sent as it comes, on a connection of its own: nothing of it could be sent again.
    /// The body is asked for once there is a connection, so that without one nothing of it is spent.
    ///
    /// # Errors
    /// As [`Self::send`]'s, and why the body came to no end.
    pub async fn send_upload(
        &self,
        mut request: Request<Bytes>,
        upload: impl FnOnce() -> Upload,
        limit: Duration,
    ) -> Result<Response<Answer>, Error> {
        let sending = async {
            let origin = addressed(&mut request)?;
            let connection = self.connect(&origin).await?;
            let answer = connection.ask(&request, Some(upload()), self.pool.home()).await;
            answer.map_err(|(Unanswered::Unheard(broken) | Unanswered::Failed(broken))| match broken {
                Broken::Source(error) => *error,
                broken => unanswered(chain(&broken)),
            })
        };
        tokio::time::timeout(limit, Box::pin(sending))
            .await
            .unwrap_or_else(|_| Err(Error::new(Code::UpstreamTimeout, "the provider did not answer in time")))
    }

    /// Asks to go on in another protocol, on a connection of its own.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn switch(
        &self,
        mut request: Request<Bytes>,
        limit: Duration,
    ) -> Result<Response<Switched>, Error> {
        let asking = async {
            let origin = addressed(&mut request)?;
            let connection = self.connect(&origin).await?;
            connection.switch(&request, self.pool.home()).await.map_err(|unanswered| match unanswered {
                Unanswered::Unheard(broken) | Unanswered::Failed(broken) => self::unanswered(chain(&broken)),
            })
        };
        tokio::time::timeout(limit, Box::pin(asking))
            .await
            .unwrap_or_else(|_| Err(Error::new(Code::UpstreamTimeout, "the provider did not answer in time")))
    }

    async fn ask(&self, mut request: Request<Bytes>) -> Result<Response<Answer>, Error> {
        let origin = addressed(&mut request)?;
        let mut pooled = true;
        loop {
            let (connection, reused) = match pooled.then(|| self.pool.take(&origin)).flatten() {
                Some(connection) => (connection, true),
                // Rare, and large: not a part of every call.
                None => (Box::pin(self.connect(&origin)).await?, false),
            };
            match connection.ask(&request, None, self.pool.home()).await {
                Ok(response) => return Ok(response),
                // Closed while it waited. That tells nothing of the provider: it is no attempt, and is made
                // up for at once, on a new connection, as the others may be closed too.
                Err(Unanswered::Unheard(_)) if reused => pooled = false,
                Err(Unanswered::Unheard(broken) | Unanswered::Failed(broken)) => {
                    return Err(unanswered(chain(&broken)));
                }
            }
        }
    }

    async fn connect(&self, origin: &Origin) -> Result<Connection, Error> {
        let unreachable = |detail: String| {
            Error::new(Code::UpstreamUnreachable, "the provider cannot be reached").detail(detail)
        };
        let uri = Uri::builder()
            .scheme(origin.scheme.clone())
            .authority(origin.authority.clone())
            .path_and_query(PathAndQuery::from_static("/"))
            .build()
            .map_err(|error| unreachable(error.to_string()))?;
        let connecting = async {
            let stream =
                self.connector.clone().call(uri).await.map_err(|error| unreachable(chain(&*error)))?;
            Ok(Connection::new(origin.clone(), TokioIo::new(stream)))
        };
        tokio::time::timeout(self.connect, pin!(connecting))
            .await
            .unwrap_or_else(|_| Err(unreachable("no connection came about in time".to_owned())))
    }
}

/// Makes a request with a whole address one for a connection: a path, and the host as a header.
fn addressed(request: &mut Request<Bytes>) -> Result<Origin, Error> {
    let no_address = || Error::new(Code::UpstreamUnreachable, "the provider has no address");
    let parts = std::mem::take(request.uri_mut()).into_parts();
    let authority = parts.authority.ok_or_else(no_address)?;
    let scheme = parts.scheme.unwrap_or(Scheme::HTTPS);
    // Without a name and password that an address may carry.
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    let host = HeaderValue::from_str(host).map_err(|_| no_address())?;
    request.headers_mut().insert(header::HOST, host);
    *request.uri_mut() = Uri::from(parts.path_and_query.unwrap_or(PathAndQuery::from_static("/")));
    Ok(Origin { scheme, authority })
}

fn unanswered(detail: String) -> Error {
    Error::new(Code::UpstreamBadResponse, "the provider closed the connection without an answer")
        .detail(detail)
}

/// An error with all its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
