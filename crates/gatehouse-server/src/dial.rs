//! Connections that carry lines and no HTTP.

use crate::upstream::tls::TLS;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Both directions of a connection.
pub trait Line: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

/// Connects to `host:port`, through TLS if asked to, as the platform's certificates allow.
///
/// # Errors
/// Nobody is there in time, or he is not who he should be.
pub async fn dial(address: &str, tls: bool, time_max: Duration) -> io::Result<Box<dyn Line>> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "it does not answer in time");
    let tcp = tokio::time::timeout(time_max, TcpStream::connect(address)).await.map_err(late)??;
    if !tls {
        return Ok(Box::new(tcp));
    }
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
    let name = rustls::pki_types::ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let connector = TlsConnector::from(TLS.clone());
    let tls = tokio::time::timeout(time_max, connector.connect(name, tcp)).await.map_err(late)??;
    Ok(Box::new(tls))
}
