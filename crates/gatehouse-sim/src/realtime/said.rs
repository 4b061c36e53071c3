//! A response as its events.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::ids::Ids;
use crate::think::Reply;
use crate::words;

/// Bytes of silence for each word that is spoken: 50 ms of PCM at 24 kHz and 16 bits.
const AUDIO_BYTES_PER_WORD: usize = 2_400;
/// Tokens of output that each spoken word is billed as, beside its text.
const TOKENS_PER_SPOKEN_WORD: u64 = 2;

/// All events of a response.
pub(super) fn events(reply: &Reply, speaks: bool, input_audio: u64, ids: &Ids) -> Vec<Value> {
    let id = ids.next("resp_");
    let modalities = if speaks { json!(["audio"]) } else { json!(["text"]) };
    let mut response = json!({"object": "realtime.response", "id": id, "status": "in_progress", "output": [],
        "output_modalities": modalities, "usage": null});
    let mut events = vec![json!({"type": "response.created", "response": response})];
    let mut output = Vec::new();
    for call in &reply.calls {
        output.push(called(&mut events, &id, output.len(), &call.name, &call.arguments.to_string(), ids));
    }
    if reply.calls.is_empty() {
        output.push(worded(&mut events, &id, &reply.text, speaks, ids));
    }
    let spoken = if speaks { words::count(&reply.text) * TOKENS_PER_SPOKEN_WORD } else { 0 };
    let (input, text) = (reply.usage.input, reply.usage.output);
    set(&mut response, "status", "completed");
    set(&mut response, "output", output);
    set(
        &mut response,
        "usage",
        json!({
            "total_tokens": input + input_audio + text + spoken,
            "input_tokens": input + input_audio, "output_tokens": text + spoken,
            "input_token_details": {"text_tokens": input, "audio_tokens": input_audio, "cached_tokens": 0,
                "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0}},
            "output_token_details": {"text_tokens": text, "audio_tokens": spoken},
        }),
    );
    events.push(json!({"type": "response.done", "response": response}));
    events
}

fn called(events: &mut Vec<Value>, id: &str, at: usize, name: &str, arguments: &str, ids: &Ids) -> Value {
    let (item_id, call_id) = (ids.next("item_"), ids.next("call_"));
    let mut item = json!({"id": item_id, "type": "function_call", "status": "in_progress", "name": name,
        "call_id": call_id, "arguments": ""});
    let own = |kind: &str| json!({"type": kind, "response_id": id, "item_id": item_id, "output_index": at, "call_id": call_id});
    events.push(
        json!({"type": "response.output_item.added", "response_id": id, "output_index": at, "item": item}),
    );
    for piece in words::chunks(arguments) {
        let mut delta = own("response.function_call_arguments.delta");
        set(&mut delta, "delta", piece);
        events.push(delta);
    }
    let mut done = own("response.function_call_arguments.done");
    set(&mut done, "arguments", arguments);
    events.push(done);
    set(&mut item, "status", "completed");
    set(&mut item, "arguments", arguments);
    events.push(
        json!({"type": "response.output_item.done", "response_id": id, "output_index": at, "item": item}),
    );
    item
}

fn worded(events: &mut Vec<Value>, id: &str, text: &str, speaks: bool, ids: &Ids) -> Value {
    let item_id = ids.next("item_");
    let (delta, done, member, part) = if speaks {
        (
            "response.output_audio_transcript.delta",
            "response.output_audio_transcript.done",
            "transcript",
            "output_audio",
        )
    } else {
        ("response.output_text.delta", "response.output_text.done", "text", "output_text")
    };
    let own = |kind: &str| json!({"type": kind, "response_id": id, "item_id": item_id, "output_index": 0, "content_index": 0});
    let mut item = json!({"id": item_id, "type": "message", "status": "in_progress", "role": "assistant",
        "content": []});
    events.push(
        json!({"type": "response.output_item.added", "response_id": id, "output_index": 0, "item": item}),
    );
    let mut added = own("response.content_part.added");
    set(&mut added, "part", json!({"type": part, member: ""}));
    events.push(added);
    let silence = STANDARD.encode([0; AUDIO_BYTES_PER_WORD]);
    for piece in words::chunks(text) {
        let mut said = own(delta);
        set(&mut said, "delta", piece);
        events.push(said);
        if speaks {
            let mut heard = own("response.output_audio.delta");
            set(&mut heard, "delta", silence.clone());
            events.push(heard);
        }
    }
    if speaks {
        events.push(own("response.output_audio.done"));
    }
    let mut over = own(done);
    set(&mut over, member, text);
    events.push(over);
    let whole = json!({"type": part, member: text});
    let mut over = own("response.content_part.done");
    set(&mut over, "part", whole.clone());
    events.push(over);
    set(&mut item, "status", "completed");
    set(&mut item, "content", json!([whole]));
    events.push(
        json!({"type": "response.output_item.done", "response_id": id, "output_index": 0, "item": item}),
    );
    item
}

/// Sets a member of an object; of anything else there is none to set.
pub(super) fn set(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value.into());
    }
}

/// The value behind a path of member names; `null` where there is none.
pub(super) fn at<'a>(value: &'a Value, names: &[&str]) -> &'a Value {
    names.iter().try_fold(value, |value, name| value.get(name)).unwrap_or(&Value::Null)
}
