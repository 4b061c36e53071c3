//! What the dialect leaves to whoever keeps answers: reading what a request refers to, writing the request that
//! needs no memory, and the exchange as it is kept.

use super::item_type;
use crate::json::{Doc, Node, Out, Raw, Strictness, escaped};
use bytes::Bytes;
use gatehouse_core::content::{Edit, splice};
use gatehouse_core::error::{Code, Error};
use std::borrow::Cow;

/// What a request says of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Whether the answer is to be kept, if it says so.
    pub store: Option<bool>,
    /// The answer that it goes on from.
    pub previous: Option<String>,
    /// Whether the answer is fetched later.
    pub background: bool,
    /// The items of earlier answers that it only names.
    pub references: Vec<String>,
    /// Reasoning that it repeats without what only its provider can read, by id.
    pub thoughts: Vec<String>,
}

/// One exchange as it is kept: the items that the caller gave, and the answer.
#[derive(Debug)]
pub struct Exchange(Doc);

/// What an answer says of how it is kept.
#[derive(Clone, Debug)]
pub struct Marks<'a> {
    /// Its id; `None` leaves the provider's.
    pub id: Option<&'a str>,
    /// The answer that it went on from.
    pub previous: Option<&'a str>,
    /// Whether it is kept.
    pub kept: bool,
    /// Whether it was made in the background.
    pub background: bool,
}

/// How an answer that is kept stands, where the model did not say so.
#[derive(Clone, Copy, Debug)]
pub enum Standing<'a> {
    /// It is being made.
    InProgress,
    /// Nobody wants it any more.
    Cancelled,
    /// It came to nothing.
    Failed(&'a Error),
}

/// Reads what a request says of memory.
///
/// # Errors
/// `invalid_request` for members of a wrong type, `unsupported_parameter` for conversations.
pub fn asked(doc: &Doc) -> Result<Asked, Error> {
    let root = doc.root().want_object()?;
    if root.opt("conversation").is_some() {
        let message = "conversation: is not kept here; go on with \"previous_response_id\"";
        return Err(Error::unsupported("conversation", message));
    }
    let flag = |name: &str| root.opt(name).map(|node| node.want_bool()).transpose();
    let previous = root.opt("previous_response_id").map(|id| id.want_str()).transpose()?;
    let (mut references, mut thoughts) = (Vec::new(), Vec::new());
    for item in root.opt("input").filter(Node::is_array).into_iter().flat_map(|input| input.items()) {
        references.extend(reference(item)?);
        thoughts.extend(thought(item));
    }
    Ok(Asked {
        store: flag("store")?,
        previous: previous.map(Cow::into_owned),
        background: flag("background")?.unwrap_or_default(),
        references,
        thoughts,
    })
}

/// The item that is only named here.
fn reference(item: Node<'_>) -> Result<Option<String>, Error> {
    if !item.is_object() || item_type(item)? != "item_reference" {
        return Ok(None);
    }
    Ok(Some(item.need("id")?.want_str()?.into_owned()))
}

/// The id of reasoning that was said before, and lacks what only its provider can read.
fn thought(item: Node<'_>) -> Option<String> {
    let id = item.opt("id").filter(|_| is_lost(item))?;
    id.str().map(Cow::into_owned)
}

/// The request with all that it referred to in it: whoever gets it needs no memory. `resolve` finds an item by its
/// id; `None` leaves it out. `thoughts` finds reasoning, which stays as it is where it is not found.
///
/// # Errors
/// What `resolve` says, `invalid_request`; `request_too_large` when all of it is more than `bytes_max`.
pub fn whole(
    doc: &Doc,
    bytes_max: usize,
    context: &[Cow<'_, str>],
    resolve: &dyn Fn(&str) -> Result<Option<String>, Error>,
    thoughts: &dyn Fn(&str) -> Option<String>,
) -> Result<Doc, Error> {
    /// They have been read, and are true no more.
    const LEFT_OUT: [&str; 4] = ["input", "previous_response_id", "background", "store"];
    let root = doc.root();
    let mut bytes: usize = context.iter().map(|item| item.len()).sum();
    // One short name may stand for a long item, any number of times.
    let mut within = |item: Result<String, Error>| {
        let item = item?;
        bytes = bytes.saturating_add(item.len());
        if bytes <= bytes_max {
            return Ok(item);
        }
        let message = format!("the conversation so far exceeds the limit of {bytes_max} bytes (limits.body)");
        Err(Error::new(Code::RequestTooLarge, message).at("input"))
    };
    let own = match root.opt("input").filter(Node::is_array) {
        None => own_items(doc, 0),
        Some(input) => {
            let resolved = input.items().filter_map(|item| match reference(item) {
                Ok(None) => {
                    let found = thought(item).and_then(|id| thoughts(&id));
                    Some(Ok(found.unwrap_or_else(|| item.raw().to_owned())))
                }
                Ok(Some(id)) => resolve(&id).transpose(),
                Err(error) => Some(Err(error)),
            });
            resolved.map(&mut within).collect::<Result<_, _>>()?
        }
    };
    let mut out = Out::new();
    out.object(|out| {
        for (name, value) in root.members().filter(|(name, _)| !LEFT_OUT.contains(&name.as_ref())) {
            out.field(&name, Raw(value.raw()));
        }
        out.array_field("input", |out| {
            context.iter().map(|item| &**item).chain(own.iter().map(String::as_str)).for_each(|item| {
                out.item(Raw(item));
            });
        });
    });
    Doc::parse(Bytes::from(out.into_bytes()), Strictness::Caller)
}

/// The items of a request behind the first so many, as JSON. A text is a message of the user.
#[must_use]
pub fn own_items(doc: &Doc, skip: usize) -> Vec<String> {
    let Some(input) = doc.root().opt("input") else { return Vec::new() };
    if input.is_array() {
        return input.items().skip(skip).map(|item| item.raw().to_owned()).collect();
    }
    let mut out = Out::new();
    out.object(|out| {
        out.field("type", "message").field("role", "user");
        out.array_field("content", |out| {
            out.object(|out| {
                out.field("type", "input_text").field("text", Raw(input.raw()));
            });
        });
    });
    vec![out.as_str().to_owned()]
}

/// The changes that make an answer say how it is kept.
#[must_use]
pub fn marked(response: Node<'_>, marks: &Marks<'_>) -> Vec<Edit> {
    let text = |text: &str| [b"\"".as_slice(), &escaped(text), b"\""].concat();
    let flag = |flag: bool| if flag { b"true".to_vec() } else { b"false".to_vec() };
    let members = response.members().filter_map(|(name, value)| {
        let with = match name.as_ref() {
            "id" => text(marks.id?),
            "previous_response_id" => text(marks.previous?),
            "store" => flag(marks.kept),
            "background" => flag(marks.background),
            _ => return None,
        };
        Some(Edit { range: value.range(), with: Bytes::from(with) })
    });
    members.collect()
}

/// The answer to a request whose answer is not there: what the request said, and how it stands.
#[must_use]
pub fn standing(
    request: &Doc,
    model: &str,
    created: u64,
    marks: &Marks<'_>,
    standing: Standing<'_>,
) -> String {
    let root = request.root();
    let said =
        |name: &'static str, default: &'static str| (name, root.opt(name).map_or(default, |node| node.raw()));
    let mut out = Out::new();
    out.object(|out| {
        out.field("id", marks.id).field("object", "response").field("created_at", created);
        let (status, error) = match standing {
            Standing::InProgress => ("in_progress", None),
            Standing::Cancelled => ("cancelled", None),
            Standing::Failed(error) => ("failed", Some(error)),
        };
        out.field("status", status).field("background", marks.background);
        match error {
            Some(error) => out.object_field("error", |out| {
                out.field("code", error.code.as_str()).field("message", &error.message);
            }),
            None => out.field("error", None::<&str>),
        };
        out.field("incomplete_details", None::<&str>).field("model", model);
        out.array_field("output", |_| {});
        out.field("previous_response_id", marks.previous)
            .field("store", marks.kept)
            .field("usage", None::<&str>);
        for (name, raw) in [
            said("instructions", "null"),
            said("max_output_tokens", "null"),
            said("metadata", "{}"),
            said("parallel_tool_calls", "true"),
            said("reasoning", "{\"effort\":null,\"summary\":null}"),
            said("temperature", "1.0"),
            said("text", "{\"format\":{\"type\":\"text\"}}"),
            said("tool_choice", "\"auto\""),
            said("tools", "[]"),
            said("top_p", "1.0"),
            said("truncation", "\"disabled\""),
            said("user", "null"),
        ] {
            out.field(name, Raw(raw));
        }
    });
    out.as_str().to_owned()
}

/// The same answer, standing otherwise.
#[must_use]
pub fn restated(response: Node<'_>, standing: Standing<'_>) -> Option<String> {
    let (status, error) = match standing {
        Standing::InProgress => ("\"in_progress\"", None),
        Standing::Cancelled => ("\"cancelled\"", None),
        Standing::Failed(error) => ("\"failed\"", Some(error)),
    };
    let mut out = Out::new();
    out.object(|out| {
        for (name, value) in response.members() {
            match (name.as_ref(), error) {
                ("status", _) => {
                    out.field("status", Raw(status));
                }
                ("error", Some(error)) => {
                    out.object_field("error", |out| {
                        out.field("code", error.code.as_str()).field("message", &error.message);
                    });
                }
                _ => {
                    out.field(&name, Raw(value.raw()));
                }
            }
        }
    });
    String::from_utf8(out.into_bytes()).ok()
}

// === impl Exchange ===

impl Exchange {
    /// An exchange as bytes.
    #[must_use]
    pub fn written(input: &[String], response: &str) -> Vec<u8> {
        let mut out = Out::new();
        out.object(|out| {
            out.array_field("input", |out| {
                input.iter().for_each(|item| {
                    out.item(Raw(item));
                });
            });
            out.field("response", Raw(response));
        });
        out.into_bytes()
    }

    /// Back again.
    #[must_use]
    pub fn read(bytes: Vec<u8>) -> Option<Self> {
        Doc::parse(Bytes::from(bytes), Strictness::Provider).ok().map(Self)
    }

    /// The answer.
    #[must_use]
    pub fn response(&self) -> Option<Node<'_>> {
        self.0.root().opt("response")
    }

    /// The items that the caller gave.
    pub fn input(&self) -> impl Iterator<Item = Node<'_>> {
        self.0.root().opt("input").into_iter().flat_map(|input| input.items())
    }

    /// The items that the model gave.
    pub fn output(&self) -> impl Iterator<Item = Node<'_>> {
        let output = self.response().and_then(|response| response.opt("output"));
        output.into_iter().flat_map(|output| output.items())
    }

    /// What the next request begins with.
    #[must_use]
    pub fn context(&self) -> Vec<Cow<'_, str>> {
        let is_partial = self.is_partial();
        let output = self.output().filter_map(|item| again(item, is_partial));
        self.input().map(|item| Cow::Borrowed(item.raw())).chain(output).collect()
    }

    /// The item of this id, as a later request has it: `None` inside for one that is nothing without the provider's
    /// memory.
    #[must_use]
    pub fn item(&self, id: &str) -> Option<Option<Cow<'_, str>>> {
        let is = |item: &Node<'_>| item.opt("id").and_then(|own| own.str()).is_some_and(|own| own == id);
        let is_partial = self.is_partial();
        let said = self.output().find(is).map(|item| again(item, is_partial));
        said.or_else(|| self.input().find(is).map(|item| Some(Cow::Borrowed(item.raw()))))
    }

    /// Whether the model thought something that nobody sealed.
    fn is_partial(&self) -> bool {
        self.output().any(is_lost)
    }
}

/// An item of an answer as a later request has it. Reasoning that nobody sealed is nothing without the provider's memory
/// and is left out; the items around it lose their ids then, by which the provider would miss it.
fn again(item: Node<'_>, is_partial: bool) -> Option<Cow<'_, str>> {
    if is_lost(item) {
        return None;
    }
    if !is_partial || item.opt("id").is_none() {
        return Some(Cow::Borrowed(item.raw()));
    }
    let mut out = Out::new();
    out.object(|out| {
        for (name, value) in item.members().filter(|(name, _)| name != "id") {
            out.field(&name, Raw(value.raw()));
        }
    });
    Some(Cow::Owned(out.as_str().to_owned()))
}

fn is_lost(item: Node<'_>) -> bool {
    let is = |name: &str| item.opt("type").and_then(|kind| kind.str()).is_some_and(|kind| kind == name);
    is("reasoning") && item.opt("encrypted_content").is_none()
}

/// The response that an event of a stream tells of, and whether it is the last one.
#[must_use]
pub fn told(event: &Doc) -> Option<(Node<'_>, bool)> {
    let kind = event.root().opt("type")?.str()?;
    let last = match kind.as_ref() {
        "response.created" | "response.in_progress" | "response.queued" => false,
        "response.completed" | "response.incomplete" | "response.failed" => true,
        _ => return None,
    };
    Some((event.root().opt("response").filter(Node::is_object)?, last))
}

/// A document with changes made.
#[must_use]
pub fn edited(raw: &Bytes, mut edits: Vec<Edit>) -> Bytes {
    edits.sort_by_key(|edit| edit.range.start);
    splice(raw, &edits)
}

#[cfg(test)]
mod tests {
    use super::{Asked, Exchange, Marks, Standing, asked, edited, marked, own_items, standing, whole};
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::error::{Code, Error};
    use serde_json::{Value, json};

    fn doc(value: &Value) -> Doc {
        Doc::parse(Bytes::from(value.to_string()), Strictness::Caller).unwrap()
    }

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_request_says_what_it_refers_to() {
        let all = json!({"model": "m", "store": true, "previous_response_id": "resp_1", "background": true,
            "input": [{"type": "item_reference", "id": "msg_1"}, {"id": "rs_2"}, {"role": "user", "content": "x"},
            {"type": "reasoning", "id": "rs_3", "summary": []}, {"type": "reasoning", "id": "rs_4", "encrypted_content": "s"}]});
        let expected = Asked {
            store: Some(true),
            previous: Some("resp_1".to_owned()),
            background: true,
            references: vec!["msg_1".to_owned(), "rs_2".to_owned()],
            thoughts: vec!["rs_3".to_owned()],
        };
        assert_eq!(asked(&doc(&all)).unwrap(), expected);
        assert_eq!(asked(&doc(&json!({"input": "hi", "store": null}))).unwrap(), Asked::default());
        let refused = asked(&doc(&json!({"input": "hi", "conversation": "conv_1"}))).unwrap_err();
        assert_eq!(
            (refused.code, refused.param.as_deref()),
            (Code::UnsupportedParameter, Some("conversation"))
        );
        for wrong in [json!({"store": 1}), json!({"previous_response_id": {}}), json!({"background": "yes"})]
        {
            assert!(asked(&doc(&wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_request_is_made_whole() {
        let asks = doc(&json!({"model": "m", "store": true, "previous_response_id": "r", "input":
            [{"type": "item_reference", "id": "msg_1"}, {"role": "user", "content": "and?"}]}));
        let found = |id: &str| {
            (id == "msg_1").then(|| Some(r#"{"a":1}"#.to_owned())).ok_or(Error::invalid("x", "no"))
        };
        let whole =
            whole(&asks, usize::MAX, &[r#"{"role":"user","content":"one"}"#.into()], &found, &|_| None)
                .unwrap();
        let expected = json!({"model": "m", "input": [{"role": "user", "content": "one"}, {"a": 1},
            {"role": "user", "content": "and?"}]});
        assert_eq!(parsed(whole.text()), expected);
        assert_eq!(own_items(&whole, 1).len(), 2);
        let text = super::whole(&doc(&json!({"input": "hi"})), usize::MAX, &[], &found, &|_| None).unwrap();
        let message =
            json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]});
        assert_eq!(parsed(text.text())["input"], json!([message]));
        let unknown = doc(&json!({"input": [{"id": "msg_2", "type": "item_reference"}]}));
        assert!(super::whole(&unknown, usize::MAX, &[], &found, &|_| None).is_err());
        let thinks = doc(
            &json!({"input": [{"type": "reasoning", "id": "rs_1"}, {"type": "reasoning", "id": "rs_2"}]}),
        );
        let sealed = |id: &str| (id == "rs_1").then(|| r#"{"sealed":1}"#.to_owned());
        let whole = super::whole(&thinks, usize::MAX, &[], &found, &sealed).unwrap();
        assert_eq!(
            parsed(whole.text())["input"],
            json!([{"sealed": 1}, {"type": "reasoning", "id": "rs_2"}])
        );
    }

    #[test]
    fn an_exchange_comes_back_and_leaves_out_what_is_nothing_without_memory() {
        let response = json!({"id": "resp_1", "output": [
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "x"},
            {"type": "message", "id": "msg_1", "role": "assistant", "content": []}]});
        let bytes =
            Exchange::written(&[json!({"role": "user", "content": "hi"}).to_string()], &response.to_string());
        let exchange = Exchange::read(bytes).unwrap();
        let context: Vec<Value> = exchange.context().iter().map(|item| parsed(item)).collect();
        assert_eq!(context.len(), 3);
        // What stands beside something that is lost is not asked for it.
        assert_eq!((&context[1]["encrypted_content"], &context[1]["id"]), (&json!("x"), &Value::Null));
        assert_eq!(parsed(&exchange.item("msg_1").unwrap().unwrap()), context[2]);
        assert_eq!(exchange.item("rs_1"), Some(None));
        let whole = json!({"output": [{"type": "message", "id": "msg_2"}]});
        let whole = Exchange::read(Exchange::written(&[], &whole.to_string())).unwrap();
        assert_eq!(parsed(&whole.context()[0])["id"], "msg_2");
        assert_eq!(
            (exchange.item("msg_9").is_none(), exchange.input().count(), exchange.output().count()),
            (true, 1, 3)
        );
    }

    #[test]
    fn an_answer_says_how_it_is_kept() {
        let answer =
            doc(&json!({"id": "up", "previous_response_id": null, "store": false, "background": false}));
        let marks = Marks { id: Some("resp_x"), previous: Some("resp_w"), kept: true, background: false };
        let done = edited(answer.bytes(), marked(answer.root(), &marks));
        let expected =
            json!({"id": "resp_x", "previous_response_id": "resp_w", "store": true, "background": false});
        assert_eq!(serde_json::from_slice::<Value>(&done).unwrap(), expected);
    }

    #[test]
    fn an_answer_that_is_not_there_says_how_it_stands() {
        let request = doc(&json!({"model": "m", "input": "x", "tools": [], "metadata": {"a": "b"}}));
        let marks = Marks { id: Some("resp_x"), previous: None, kept: true, background: true };
        let now = parsed(&standing(&request, "m", 7, &marks, Standing::InProgress));
        assert_eq!(
            (&now["status"], &now["metadata"]["a"], &now["error"]),
            (&json!("in_progress"), &json!("b"), &Value::Null)
        );
        let kept = Exchange::read(Exchange::written(&[], &now.to_string())).unwrap();
        let error = Error::new(Code::Internal, "it \"broke\"");
        let failed = super::restated(kept.response().unwrap(), Standing::Failed(&error)).unwrap();
        let failed = parsed(&failed);
        assert_eq!(
            (&failed["status"], &failed["error"]["message"]),
            (&json!("failed"), &json!("it \"broke\""))
        );
        assert_eq!((&failed["id"], &failed["background"]), (&json!("resp_x"), &json!(true)));
    }
}
