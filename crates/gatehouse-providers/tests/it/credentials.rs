//! Fetching credentials, from an outside that is written down.

use bytes::Bytes;
use gatehouse_core::error::Code;
use gatehouse_providers::credential::{Credential, Fresh, Later, Outside};
use gatehouse_providers::kinds;
use gatehouse_providers::settings::{Credentials, Settings};
use http::{Request, Response};
use secrecy::ExposeSecret as _;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

const NOW: u64 = 1_795_420_800;

/// Gives these answers in turn, and keeps what was asked.
struct Script {
    answers: Mutex<Vec<(u16, String)>>,
    asked: Mutex<Vec<Request<Bytes>>>,
}

impl Script {
    fn new(answers: &[(u16, &str)]) -> Self {
        let answers = answers.iter().rev().map(|(status, text)| (*status, (*text).to_owned())).collect();
        Self { answers: Mutex::new(answers), asked: Mutex::default() }
    }

    /// Method, address and body of each request.
    fn asked(&self) -> Vec<(String, String, String)> {
        let all = self.asked.lock().unwrap();
        let tell = |one: &Request<Bytes>| {
            (one.method().to_string(), one.uri().to_string(), String::from_utf8(one.body().to_vec()).unwrap())
        };
        all.iter().map(tell).collect()
    }

    fn header(&self, at: usize, name: &str) -> String {
        self.asked.lock().unwrap()[at].headers()[name].to_str().unwrap().to_owned()
    }
}

impl Outside for Script {
    fn ask(&self, request: Request<Bytes>) -> Later<'_, Response<Bytes>> {
        self.asked.lock().unwrap().push(request);
        let (status, text) = self.answers.lock().unwrap().pop().expect("asked once more");
        Box::pin(async move { Ok(Response::builder().status(status).body(Bytes::from(text)).unwrap()) })
    }

    fn now(&self) -> u64 {
        NOW
    }
}

fn fetch(
    kind: &str,
    credentials: Credentials,
    variables: &[(&str, &str)],
    outside: &Script,
) -> Result<Fresh, gatehouse_core::error::Error> {
    let env =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let settings = Settings { credentials, ..Settings::default() };
    let source = kinds::find(kind).unwrap().credentials(&settings, &env).unwrap().unwrap();
    // Nothing in it waits.
    match pin!(source.fetch(outside)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(fetched) => fetched,
        Poll::Pending => panic!("it waits"),
    }
}

fn told(fresh: &Fresh) -> String {
    match &fresh.credential {
        Credential::Key(secret) | Credential::Token(secret) => secret.expose_secret().to_owned(),
        Credential::Aws(keys) => {
            let session = keys.session.as_ref().map(|session| session.expose_secret()).unwrap_or_default();
            format!("{} {} {session}", keys.id, keys.secret.expose_secret())
        }
    }
}

const KEYS: &str =
    r#"{"AccessKeyId":"AKID","SecretAccessKey":"shh","Token":"tok","Expiration":"2026-11-23T09:00:00Z"}"#;

#[test]
fn a_machine_of_aws_asks_with_a_session() {
    let outside = Script::new(&[(200, "session-1"), (200, "our-role\n"), (200, KEYS)]);
    let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9/")];
    let fresh = fetch("bedrock", Credentials::default(), &variables, &outside).unwrap();
    assert_eq!((told(&fresh).as_str(), fresh.expires_at), ("AKID shh tok", Some(NOW + 3_600)));
    let asked = outside.asked();
    assert_eq!((asked[0].0.as_str(), asked[0].1.as_str()), ("PUT", "http://127.0.0.1:9/latest/api/token"));
    assert!(asked[2].1.ends_with("/latest/meta-data/iam/security-credentials/our-role"), "{asked:?}");
    assert_eq!(outside.header(2, "x-aws-ec2-metadata-token"), "session-1");
}

#[test]
fn a_container_of_aws_asks_with_its_token_and_only_somewhere_near() {
    let outside = Script::new(&[(200, KEYS)]);
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/keys"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pod-token"),
    ];
    let fresh = fetch("bedrock", Credentials::default(), &variables, &outside).unwrap();
    assert_eq!(
        (told(&fresh).as_str(), outside.header(0, "authorization").as_str()),
        ("AKID shh tok", "pod-token")
    );
    let far = |name: &str| {
        (name == "AWS_CONTAINER_CREDENTIALS_FULL_URI").then(|| "http://evil.example/".to_owned())
    };
    let refused = kinds::find("bedrock").unwrap().credentials(&Settings::default(), &far).unwrap_err();
    assert!(refused.contains("neither https nor of this machine"), "{refused}");
}

#[test]
fn a_role_of_aws_is_taken_on_with_the_clusters_token() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "jwt.of.cluster\n").unwrap();
    let xml = "<A><Credentials><AccessKeyId>AKID</AccessKeyId><SecretAccessKey>shh</SecretAccessKey><SessionToken>tok\
               </SessionToken><Expiration>2026-11-23T09:00:00Z</Expiration></Credentials></A>";
    let outside = Script::new(&[(200, xml)]);
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r"),
        ("AWS_REGION", "eu-west-1"),
    ];
    let fresh = fetch("bedrock", Credentials::default(), &variables, &outside).unwrap();
    assert_eq!((told(&fresh).as_str(), fresh.expires_at), ("AKID shh tok", Some(NOW + 3_600)));
    let (method, address, body) = outside.asked().remove(0);
    assert_eq!((method.as_str(), address.as_str()), ("POST", "https://sts.eu-west-1.amazonaws.com/"));
    assert!(
        body.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr")
            && body.contains("WebIdentityToken=jwt.of.cluster")
    );
}

#[test]
fn a_profile_of_aws_is_read_from_the_shared_files() {
    let dir = tempfile::tempdir().unwrap();
    let (credentials, config) = (dir.path().join("credentials"), dir.path().join("config"));
    std::fs::write(&credentials, "[work]\naws_access_key_id = AKID\naws_secret_access_key = shh\n").unwrap();
    std::fs::write(&config, "[profile odd]\nsso_session = s\n").unwrap();
    let variables = [
        ("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap()),
        ("AWS_CONFIG_FILE", config.to_str().unwrap()),
    ];
    let profile = |name: &str| Credentials { profile: Some(name.to_owned()), ..Credentials::default() };
    let fresh = fetch("bedrock", profile("work"), &variables, &Script::new(&[])).unwrap();
    assert_eq!((told(&fresh).as_str(), fresh.expires_at), ("AKID shh ", None));
    let env =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    for (name, says) in [("odd", "sso_session"), ("none", "there is no profile")] {
        let settings = Settings { credentials: profile(name), ..Settings::default() };
        let refused = kinds::find("bedrock").unwrap().credentials(&settings, &env).unwrap_err();
        assert!(refused.contains(says), "{refused}");
    }
}

#[test]
fn a_service_account_of_google_signs_what_it_says() {
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    let file = serde_json::json!({"type": "service_account", "client_email": "bot@p.iam.gserviceaccount.com",
        "private_key": pem, "private_key_id": "kid-1", "token_uri": "https://oauth2.googleapis.com/token"});
    let written = Credentials { service_account: Some(file.to_string().into()), ..Credentials::default() };
    let outside = Script::new(&[(200, r#"{"access_token":"ya29","expires_in":3599,"token_type":"Bearer"}"#)]);
    let fresh = fetch("vertex", written, &[], &outside).unwrap();
    assert_eq!((told(&fresh).as_str(), fresh.expires_at), ("ya29", Some(NOW + 3_599)));
    let (_, address, body) = outside.asked().remove(0);
    assert_eq!(address, "https://oauth2.googleapis.com/token");
    let assertion = body.split("assertion=").nth(1).unwrap();
    let parts: Vec<&str> = assertion.split('.').collect();
    let read = |part: &str| {
        serde_json::from_slice::<serde_json::Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!(
        (read(parts[0])["alg"].as_str(), read(parts[0])["kid"].as_str()),
        (Some("RS256"), Some("kid-1"))
    );
    assert_eq!(read(parts[1])["aud"], "https://oauth2.googleapis.com/token");
    assert_eq!(read(parts[1])["exp"], NOW + 600);
    let public = aws_lc_rs::signature::UnparsedPublicKey::new(
        &aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256,
        pair.public_key().as_ref(),
    );
    let signed = format!("{}.{}", parts[0], parts[1]);
    public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(parts[2]).unwrap()).unwrap();
}

#[test]
fn what_cannot_be_used_is_said_before_anything_is_sent() {
    let written = |text: &str| Settings {
        credentials: Credentials { service_account: Some(text.to_owned().into()), ..Credentials::default() },
        ..Settings::default()
    };
    for (text, says) in [
        ("secret words", "no key file"),
        (r#"{"type":"external_account"}"#, "service_account and authorized_user"),
        (
            r#"{"type":"service_account","client_email":"a","private_key":"shh"}"#,
            "private_key cannot be read",
        ),
    ] {
        let refused = kinds::find("vertex").unwrap().credentials(&written(text), &|_| None).unwrap_err();
        assert!(
            refused.contains(says) && !refused.contains("shh") && !refused.contains("secret words"),
            "{refused}"
        );
    }
    let half = Credentials { client_secret: Some("shh".to_owned().into()), ..Credentials::default() };
    let settings = Settings { credentials: half, ..Settings::default() };
    let refused = kinds::find("azure").unwrap().credentials(&settings, &|_| None).unwrap_err();
    assert!(refused.contains("credentials.tenant"), "{refused}");
}

#[test]
fn a_refusal_names_who_refused_and_not_the_secret() {
    let outside = Script::new(&[(400, r#"{"error":"invalid_grant","error_description":"AADSTS7000215"}"#)]);
    let written = Credentials {
        tenant: Some("t".to_owned()),
        client_id: Some("c".to_owned()),
        client_secret: Some("hush-hush".to_owned().into()),
        ..Credentials::default()
    };
    let error = fetch("azure", written, &[], &outside).unwrap_err();
    assert_eq!(error.code, Code::UpstreamAuthFailed);
    assert!(error.message.contains("Entra ID"), "{}", error.message);
    assert!(!format!("{error:?}").contains("hush-hush"));
}

#[test]
fn app_service_says_when_a_token_ends() {
    let outside = Script::new(&[(200, r#"{"access_token":"a","expires_on":"1795424400","resource":"r"}"#)]);
    let variables = [("IDENTITY_ENDPOINT", "http://127.0.0.1:9/msi"), ("IDENTITY_HEADER", "hdr")];
    let fresh = fetch("azure", Credentials::default(), &variables, &outside).unwrap();
    assert_eq!(fresh.expires_at, Some(NOW + 3_600));
    assert_eq!(outside.header(0, "x-identity-header"), "hdr");
}
