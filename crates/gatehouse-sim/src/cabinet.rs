//! OpenAI's files and batches, kept in memory. A batch runs its lines through the simulator itself, when it is asked
//! for as often as its metadata says.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::fault::{Checked, Fault};
use crate::form;
use crate::ids::{Ids, now};
use crate::options::THINGS_KEPT_MAX;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    batches: bool,
    method: Method,
    id: Option<String>,
    sub: Option<String>,
}

/// Everything that is kept.
#[derive(Debug, Default)]
pub(crate) struct Cabinet {
    files: BTreeMap<String, File>,
    batches: BTreeMap<String, Batch>,
}

#[derive(Debug)]
struct File {
    shown: Value,
    data: Bytes,
}

#[derive(Debug)]
struct Batch {
    shown: Map<String, Value>,
    /// How often it was asked for.
    looks: u64,
}

/// What a request has beside its task.
pub(crate) struct Request<'a> {
    /// Its headers.
    pub(crate) headers: &'a HeaderMap,
    /// Its body.
    pub(crate) body: &'a Bytes,
    /// For new identifiers.
    pub(crate) ids: &'a Ids,
    /// Answers a line: its path and its body.
    pub(crate) run: &'a dyn Fn(&str, &Bytes) -> Answer,
}

// === impl Task ===

impl Task {
    /// What a method and a path ask for. Anything may stand before.
    pub(crate) fn of(method: &Method, path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.split('/').collect();
        let at = segments.iter().rposition(|segment| ["files", "batches"].contains(segment))?;
        let (kind, rest) = segments.get(at..)?.split_first()?;
        let batches = *kind == "batches";
        let (id, sub) = match rest {
            [] => (None, None),
            [id] => (Some((*id).to_owned()), None),
            [id, sub] => (Some((*id).to_owned()), Some((*sub).to_owned())),
            _ => return None,
        };
        let known = match (batches, &id, sub.as_deref()) {
            (_, None, None) => [Method::GET, Method::POST].contains(method),
            (false, Some(_), None) => [Method::GET, Method::DELETE].contains(method),
            (true, Some(_), None) | (false, Some(_), Some("content")) => *method == Method::GET,
            (true, Some(_), Some("cancel")) => *method == Method::POST,
            _ => false,
        };
        known.then(|| Self { batches, method: method.clone(), id, sub })
    }
}

fn not_found(what: &str, id: &str) -> Fault {
    Fault::new(404, format!("No such {what} object: {id}")).param("id")
}

// === impl Cabinet ===

impl Cabinet {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Does what is asked.
    pub(crate) fn answer(&mut self, task: &Task, request: &Request<'_>) -> Checked<Answer> {
        let creates = task.method == Method::POST;
        match (task.batches, &task.id, task.sub.as_deref()) {
            (false, None, _) if creates => self.upload(request),
            (true, None, _) if creates => self.begin(request),
            (batches, None, _) => Ok(self.list(batches)),
            (false, Some(id), Some(_)) => {
                let file = self.files.get(id).ok_or_else(|| not_found("File", id))?;
                let octets = Some(HeaderValue::from_static("application/octet-stream"));
                Ok(Answer::literal(StatusCode::OK, octets, vec![file.data.clone()], false))
            }
            (false, Some(id), None) if task.method == Method::DELETE => {
                self.files.remove(id).ok_or_else(|| not_found("File", id))?;
                Ok(Answer::ok(&json!({"id": id, "object": "file", "deleted": true})))
            }
            (false, Some(id), None) => {
                let file = self.files.get(id).ok_or_else(|| not_found("File", id))?;
                Ok(Answer::ok(&file.shown))
            }
            (true, Some(id), sub) => {
                let end = if sub.is_some() { self.cancel(id)? } else { self.look(id, request)? };
                Ok(Answer::ok(&Value::Object(end)))
            }
        }
    }

    fn upload(&mut self, request: &Request<'_>) -> Checked<Answer> {
        let parts = form::parts(request.headers, request.body)?;
        let purpose = form::text(&parts, "purpose")
            .ok_or_else(|| Fault::bad("Missing required parameter: 'purpose'.").param("purpose"))?;
        let known = ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"];
        if !known.contains(&purpose) {
            return Err(
                Fault::bad(format!("'{purpose}' is not one of {known:?} - 'purpose'")).param("purpose")
            );
        }
        let file = parts.iter().find(|part| part.name == "file" && part.file.is_some());
        let file = file.ok_or_else(|| Fault::bad("Missing required parameter: 'file'.").param("file"))?;
        let name = file.file.clone().unwrap_or_default();
        Ok(Answer::ok(&self.keep(request.ids, &name, purpose, file.data.clone())?))
    }

    fn keep(&mut self, ids: &Ids, name: &str, purpose: &str, data: Bytes) -> Checked<Value> {
        if self.files.len() >= THINGS_KEPT_MAX {
            return Err(Fault::new(507, "Too many files are kept."));
        }
        let id = ids.next("file-");
        let shown = json!({"id": id, "object": "file", "bytes": data.len(), "created_at": now(),
            "filename": name, "purpose": purpose, "status": "processed"});
        self.files.insert(id, File { shown: shown.clone(), data });
        Ok(shown)
    }

    fn list(&self, batches: bool) -> Answer {
        let data: Vec<Value> = if batches {
            self.batches.values().rev().map(|batch| Value::Object(batch.shown.clone())).collect()
        } else {
            self.files.values().rev().map(|file| file.shown.clone()).collect()
        };
        Answer::ok(&json!({"object": "list", "data": data, "has_more": false}))
    }

    fn begin(&mut self, request: &Request<'_>) -> Checked<Answer> {
        let asked: Value = serde_json::from_slice(request.body)
            .map_err(|_| Fault::bad("We could not parse the JSON body of your request."))?;
        let text = |name: &str| {
            let text = asked.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
            text.ok_or_else(|| Fault::bad(format!("Missing required parameter: '{name}'.")).param(name))
        };
        let (input, endpoint) = (text("input_file_id")?, text("endpoint")?);
        if text("completion_window")? != "24h" {
            return Err(Fault::bad("Invalid value: 'completion_window' must be '24h'."));
        }
        let file = self.files.get(&input).ok_or_else(|| not_found("File", &input))?;
        if file.shown.get("purpose") != Some(&json!("batch")) {
            return Err(Fault::bad("Invalid file purpose for batch."));
        }
        if self.batches.len() >= THINGS_KEPT_MAX {
            return Err(Fault::new(507, "Too many batches are kept."));
        }
        let (id, at) = (request.ids.next("batch_"), now());
        let shown = json!({"id": id, "object": "batch", "endpoint": endpoint, "errors": null,
            "input_file_id": input, "completion_window": "24h", "status": "validating",
            "output_file_id": null, "error_file_id": null, "created_at": at, "in_progress_at": null,
            "expires_at": at + 86_400, "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": asked.get("metadata")});
        let Value::Object(shown) = shown else { return Err(Fault::new(500, "no object")) };
        self.batches.insert(id, Batch { shown: shown.clone(), looks: 0 });
        Ok(Answer::ok(&Value::Object(shown)))
    }

    fn cancel(&mut self, id: &str) -> Checked<Map<String, Value>> {
        let batch = self.batches.get_mut(id).ok_or_else(|| not_found("Batch", id))?;
        if !["validating", "in_progress"].contains(&status(&batch.shown)) {
            return Err(Fault::new(
                409,
                format!("Cannot cancel a batch with status '{}'.", status(&batch.shown)),
            ));
        }
        batch.shown.insert("status".to_owned(), json!("cancelling"));
        Ok(batch.shown.clone())
    }

    /// One look at a batch: the one that its metadata names ends it.
    fn look(&mut self, id: &str, request: &Request<'_>) -> Checked<Map<String, Value>> {
        let batch = self.batches.get_mut(id).ok_or_else(|| not_found("Batch", id))?;
        batch.looks += 1;
        let told =
            |name: &str| batch.shown.get("metadata").and_then(|all| all.get(name)).and_then(Value::as_str);
        let looks = told("sim_looks").and_then(|looks| looks.parse().ok()).unwrap_or(1);
        let end = told("sim_end").unwrap_or("completed").to_owned();
        if end == "lost" {
            return Err(not_found("Batch", id));
        }
        match status(&batch.shown) {
            "cancelling" => {
                batch.shown.insert("status".to_owned(), json!("cancelled"));
                return Ok(batch.shown.clone());
            }
            "validating" | "in_progress" => {}
            _ => return Ok(batch.shown.clone()),
        }
        batch.shown.insert("status".to_owned(), json!("in_progress"));
        if batch.looks < looks {
            return Ok(batch.shown.clone());
        }
        let mut shown = batch.shown.clone();
        self.end(&mut shown, &end, request)?;
        if let Some(batch) = self.batches.get_mut(id) {
            batch.shown = shown.clone();
        }
        Ok(shown)
    }

    /// Runs the lines, all of them or, where it expires, the first half.
    fn end(&mut self, shown: &mut Map<String, Value>, end: &str, request: &Request<'_>) -> Checked<()> {
        let input = shown.get("input_file_id").and_then(Value::as_str).unwrap_or_default();
        let input = self.files.get(input).map(|file| file.data.clone()).unwrap_or_default();
        let lines: Vec<Value> =
            input.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        let runs = match end {
            "failed" => 0,
            "expired" => lines.len() / 2,
            _ => lines.len(),
        };
        let (mut output, mut errors, mut failed) = (Vec::new(), Vec::new(), 0);
        for (at, line) in lines.iter().enumerate() {
            let id = request.ids.next("batch_req_");
            let custom = line.get("custom_id");
            if at >= runs {
                let why = json!({"code": "batch_expired", "message": "This request could not be executed."});
                push(&mut errors, &json!({"id": id, "custom_id": custom, "response": null, "error": why}));
                continue;
            }
            let (path, body) = (line.get("url").and_then(Value::as_str), line.get("body"));
            let body = Bytes::from(body.map(Value::to_string).unwrap_or_default());
            let answer = (request.run)(path.unwrap_or_default(), &body);
            let body: Value = serde_json::from_slice(&answer.pieces.concat()).unwrap_or_default();
            let response = json!({"status_code": answer.status.as_u16(), "request_id": id, "body": body});
            let line = json!({"id": id, "custom_id": custom, "response": response, "error": null});
            let well = answer.status.is_success();
            failed += usize::from(!well);
            push(if well { &mut output } else { &mut errors }, &line);
        }
        let counts = json!({"total": lines.len(), "completed": runs - failed, "failed": failed});
        shown.insert("request_counts".to_owned(), counts);
        if end != "failed" {
            for (member, data) in [("output_file_id", output), ("error_file_id", errors)] {
                if !data.is_empty() {
                    let file = self.keep(request.ids, member, "batch_output", Bytes::from(data))?;
                    shown.insert(member.to_owned(), file.get("id").cloned().unwrap_or_default());
                }
            }
        }
        shown.insert("status".to_owned(), json!(end));
        Ok(())
    }
}

fn status(shown: &Map<String, Value>) -> &str {
    shown.get("status").and_then(Value::as_str).unwrap_or_default()
}

fn push(lines: &mut Vec<u8>, line: &Value) {
    lines.extend_from_slice(line.to_string().as_bytes());
    lines.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::Task;
    use http::Method;

    #[test]
    fn paths_are_read_with_their_methods() {
        let known = |method: Method, path: &str| Task::of(&method, path).is_some();
        assert!(known(Method::POST, "/v1/files") && known(Method::GET, "/openai/v1/files"));
        assert!(known(Method::DELETE, "/v1/files/f") && known(Method::GET, "/v1/files/f/content"));
        assert!(known(Method::POST, "/v1/batches/b/cancel") && known(Method::GET, "/v1/batches/b"));
        assert!(!known(Method::DELETE, "/v1/batches/b") && !known(Method::POST, "/v1/files/f"));
        assert!(!known(Method::GET, "/v1/batches/b/c/d") && !known(Method::GET, "/v1/models"));
    }
}
