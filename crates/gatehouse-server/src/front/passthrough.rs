//! Paths of a provider's own, under `/passthrough/{provider}/`. Where such a path is a call that we know, it is that
//! call, at that provider; anything else passes as it is.

use super::{Front, Through, decoded, front};
use gatehouse_core::call::Operation;
use gatehouse_core::content::Dialect;
use http::{HeaderMap, Method};

/// The methods that pass.
const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// The provider's name and the path there.
pub(super) fn parts(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/passthrough/")?;
    let at = rest.find('/')?;
    let (provider, path) = rest.split_at(at);
    (!provider.is_empty()).then_some((provider, path))
}

/// What a path asks for.
pub(super) fn find(path: &str, query: Option<&str>, headers: &HeaderMap, method: &Method) -> Option<Front> {
    let (provider, path) = parts(path)?;
    let nested = parts(path).is_some();
    let look =
        |path: &str| super::find(path, query, headers, method).filter(|known| !nested && is_a_call(known));
    let known = look(path).filter(|known| known.method == *method || is_kept(known));
    let plain = plain(path);
    let disguised = plain != path && look(path).is_none() && look(&plain).is_some();
    let through = Some(Through { provider: decoded(provider), path: path.to_owned(), disguised });
    Some(match known {
        Some(known) => Front { through, ..known },
        None => {
            let method = METHODS.into_iter().find(|one| one == method).unwrap_or(Method::GET);
            Front { through, method, ..front(Operation::Passthrough, Dialect::Passthrough) }
        }
    })
}

/// The same where the provider's own version stands under another path than `/v1`: what stands there is known, too.
#[must_use]
pub fn under(front: Front, base: &str, query: Option<&str>, headers: &HeaderMap) -> Front {
    let Some(through) = front.through.as_ref().filter(|_| front.operation == Operation::Passthrough) else {
        return front;
    };
    let base = base.trim_end_matches('/');
    let plain = plain(&through.path);
    let rest = |path: &str| {
        let cut = path.get(..base.len()).filter(|cut| !base.is_empty() && cut.eq_ignore_ascii_case(base))?;
        path.strip_prefix(cut).filter(|rest| rest.starts_with('/')).map(|rest| format!("/v1{rest}"))
    };
    let look = |path: &str| super::find(path, query, headers, &front.method).filter(is_a_call);
    if through.path.starts_with(base)
        && let Some(known) = rest(&through.path)
            .and_then(|path| look(&path))
            .filter(|known| known.method == front.method || is_kept(known))
    {
        return Front { through: Some(through.clone()), ..known };
    }
    let disguised = through.disguised || rest(&plain).is_some_and(|path| look(&path).is_some());
    Front { through: Some(Through { disguised, ..through.clone() }), ..front }
}

/// A path as a provider may read it that decodes it, and does not look at the case of its letters.
fn plain(path: &str) -> String {
    const DECODED_MAX: usize = 3;
    let mut path = path.to_owned();
    for _ in 0..DECODED_MAX {
        path = decoded(&path);
    }
    path.to_ascii_lowercase()
}

/// Whether it is about what is kept for one tenant alone: nobody passes through to that, by whatever method.
fn is_kept(front: &Front) -> bool {
    front.is_about_kept() || matches!(front.operation, Operation::CreateFile | Operation::CreateBatch)
}

/// Whether it is something that we do ourselves: a call of a model, or what is kept for one tenant alone.
fn is_a_call(front: &Front) -> bool {
    !matches!(front.operation, Operation::ListModels | Operation::Realtime)
}

// === impl Front ===

impl Front {
    /// The same as a path that nobody here knows.
    #[must_use]
    pub fn unknown(self) -> Self {
        let Self { through, method, .. } = self;
        Self { through, method, ..front(Operation::Passthrough, Dialect::Passthrough) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{family, find};
    use gatehouse_core::call::Operation;
    use gatehouse_core::content::{Dialect, Family};
    use http::{HeaderMap, Method};

    #[test]
    fn a_known_call_is_that_call_and_anything_else_passes() {
        let look = |method: Method, path: &str| {
            let front = find(path, None, &HeaderMap::new(), &method)?;
            let through = front.through?;
            Some((front.operation, front.dialect, front.method, through.provider, through.path))
        };
        let found = |operation, dialect, method, path: &str| {
            Some((operation, dialect, method, "my ai".to_owned(), path.to_owned()))
        };
        let (post, get) = (Method::POST, Method::GET);
        let chat = "/v1/chat/completions";
        let expected = found(Operation::Chat, Dialect::OpenAiChat, post.clone(), chat);
        assert_eq!(look(post, "/passthrough/my%20ai/v1/chat/completions"), expected);
        let raw = |method, path| found(Operation::Passthrough, Dialect::Passthrough, method, path);
        for path in [
            "/v1/models",
            "/v1/fine_tuning/jobs",
            "/",
            "/v1/models/",
            "/passthrough/x/v1/chat/completions",
            "/v1/realtime",
        ] {
            assert_eq!(
                look(get.clone(), &format!("/passthrough/my ai{path}")),
                raw(get.clone(), path),
                "{path}"
            );
        }
        assert_eq!(look(get.clone(), "/passthrough/my ai/v1/messages"), raw(get.clone(), "/v1/messages"));
        assert_eq!(
            look(Method::TRACE, "/passthrough/my ai/x").unwrap().2,
            get,
            "what does not pass is told what would"
        );
        let disguised = |path: &str| {
            let front = find(&format!("/passthrough/ai{path}"), None, &HeaderMap::new(), &Method::POST);
            let front = front.unwrap();
            (front.operation, front.through.unwrap().disguised)
        };
        for path in ["/v1/%66iles", "/v1/FILES", "/v1/%2566iles", "/v1/chat/%63ompletions", "/V1/Batches/%62"]
        {
            assert_eq!(disguised(path), (Operation::Passthrough, true), "{path}");
        }
        for path in ["/v1/assistants", "/v1/Assistants/%61", "/v1/vector_stores/VS_1", "/v1/models/GPT"] {
            assert_eq!(disguised(path), (Operation::Passthrough, false), "{path}");
        }
        assert_eq!(disguised("/v1/files"), (Operation::CreateFile, false));
        let files = look(get.clone(), "/passthrough/my ai/v1/files/f").unwrap();
        assert_eq!(files.0, Operation::RetrieveFile);
        for nothing in ["/passthrough", "/passthrough/", "/passthrough/x", "/passthrough//v1"] {
            assert_eq!(look(get.clone(), nothing), None, "{nothing}");
        }
        assert_eq!(family("/passthrough/x/v1/messages", &HeaderMap::new()), Family::Anthropic);
        assert_eq!(family("/passthrough/x/v1/models", &HeaderMap::new()), Family::OpenAi);
    }
}
