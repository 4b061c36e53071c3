//! Those who give out credentials in the clouds, in this process.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// The token that is given out.
pub(crate) const TOKEN: &str = "tok-canary-77";

/// What happens to those who ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Gives,
    Refuses,
    Hangs,
}

/// Answers at the paths of Entra ID, Google and AWS.
pub(crate) struct Cloud {
    pub(crate) address: String,
    heard: Arc<Mutex<Vec<(String, String)>>>,
    mood: Arc<Mutex<Mood>>,
}

impl Cloud {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let cloud = Self { address, heard: Arc::default(), mood: Arc::new(Mutex::new(Mood::Gives)) };
        let (heard, mood) = (Arc::clone(&cloud.heard), Arc::clone(&cloud.mood));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (heard, mood) = (Arc::clone(&heard), Arc::clone(&mood));
                let service =
                    service_fn(move |request| answer(request, Arc::clone(&heard), Arc::clone(&mood)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        cloud
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn turns(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Method and path, and body, of each request so far.
    pub(crate) fn heard(&self) -> Vec<(String, String)> {
        self.heard.lock().unwrap().clone()
    }
}

async fn answer(
    request: Request<Incoming>,
    heard: Arc<Mutex<Vec<(String, String)>>>,
    mood: Arc<Mutex<Mood>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()).into_owned();
    let asked = format!("{} {}", parts.method, parts.uri.path());
    heard.lock().unwrap().push((asked.clone(), body));
    let mood = *mood.lock().unwrap();
    let (status, text) = match mood {
        Mood::Hangs => pending().await,
        Mood::Refuses => {
            (401, json!({"error": "invalid_client", "error_description": "who are you"}).to_string())
        }
        Mood::Gives => (200, given(&asked)),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    Ok(response)
}

/// In the words of each cloud. Keys of AWS are those of its documentation.
fn given(asked: &str) -> String {
    let expiration = "2099-01-01T00:00:00Z";
    match asked {
        "PUT /latest/api/token" => "imds-session".to_owned(),
        "GET /latest/meta-data/iam/security-credentials/" => "our-role\n".to_owned(),
        "GET /latest/meta-data/iam/security-credentials/our-role" | "GET /container" => {
            json!({"Code": "Success", "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                "Token": "session-token", "Expiration": expiration})
            .to_string()
        }
        "POST /" => format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AKIDEXAMPLE\
             </AccessKeyId><SecretAccessKey>wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY</SecretAccessKey><SessionToken>\
             session-token</SessionToken><Expiration>{expiration}</Expiration></Credentials>\
             </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        ),
        _ => json!({"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN}).to_string(),
    }
}
