//! How OpenAI words what is wrong with a request.

use serde_json::Value;

use crate::fault::{Checked, Fault};
use crate::json::{get, kind};

/// The answer to a body that is no JSON object.
pub(crate) const NOT_JSON: &str = "We could not parse the JSON body of your request. (HINT: This likely means \
    you aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was \
    not valid JSON.)";

/// A required member is absent.
pub(crate) fn missing_parameter(param: &str) -> Fault {
    let said = format!("Missing required parameter: '{param}'.");
    Fault::bad(said).param(param).code("missing_required_parameter")
}

/// A member is of the wrong kind.
pub(crate) fn invalid_type(param: &str, expected: &str, got: &Value) -> Fault {
    let said = format!("Invalid type for '{param}': expected {expected}, but got {} instead.", kind(got));
    Fault::bad(said).param(param).code("invalid_type")
}

/// A member has a value outside of a list.
pub(crate) fn invalid_value(param: &str, got: &str, supported: &[&str]) -> Fault {
    let list: Vec<String> = supported.iter().map(|one| format!("'{one}'")).collect();
    let list = match list.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{}, and {last}", others.join(", ")),
        None => String::new(),
    };
    let said = format!("Invalid value: '{got}'. Supported values are: {list}.");
    Fault::bad(said).param(param).code("invalid_value")
}

/// There is no such model.
pub(crate) fn no_such_model(model: &str) -> Fault {
    let said = format!("The model `{model}` does not exist or you do not have access to it.");
    Fault::new(404, said).code("model_not_found")
}

/// The member, which is a number between two bounds when it is there.
pub(crate) fn number_range(body: &Value, param: &str, least: f64, most: f64) -> Checked<Option<f64>> {
    let Some(value) = get(body, param) else { return Ok(None) };
    let Some(number) = value.as_f64() else { return Err(invalid_type(param, "a decimal number", value)) };
    let (side, word, relation, bound) = if number < least {
        ("below minimum", "decimal_below_min_value", ">=", least)
    } else if number > most {
        ("above maximum", "decimal_above_max_value", "<=", most)
    } else {
        return Ok(Some(number));
    };
    let said = format!(
        "Invalid '{param}': decimal {side} value. Expected a value {relation} {bound}, but got {number:?} instead."
    );
    Err(Fault::bad(said).param(param).code(word))
}

/// The member, which is a whole number of at least `least` when it is there.
pub(crate) fn integer_from(body: &Value, param: &str, least: u64) -> Checked<Option<u64>> {
    let Some(value) = get(body, param) else { return Ok(None) };
    match value.as_i64() {
        None => Err(invalid_type(param, "an integer", value)),
        Some(number) => match u64::try_from(number) {
            Ok(number) if number >= least => Ok(Some(number)),
            _ => {
                let said = format!(
                    "Invalid '{param}': integer below minimum value. Expected a value >= {least}, but got {number} instead."
                );
                Err(Fault::bad(said).param(param).code("integer_below_min_value"))
            }
        },
    }
}

/// The member, which is true or false when it is there.
pub(crate) fn boolean(body: &Value, param: &str) -> Checked<bool> {
    match get(body, param) {
        None => Ok(false),
        Some(value) => value.as_bool().ok_or_else(|| invalid_type(param, "a boolean", value)),
    }
}

/// The model's name, which has to be there.
pub(crate) fn model(body: &Value) -> Checked<&str> {
    match get(body, "model") {
        None => Err(Fault::bad("you must provide a model parameter")),
        Some(Value::String(name)) if name.is_empty() => Err(Fault::bad("you must provide a model parameter")),
        Some(Value::String(name)) => Ok(name),
        Some(other) => Err(invalid_type("model", "a string", other)),
    }
}
