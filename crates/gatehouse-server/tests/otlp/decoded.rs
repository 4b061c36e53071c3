//! OTLP's messages as a collector reads them: written against the specification, not against our encoder.

use std::collections::BTreeMap;

/// Kinds of span.
pub(crate) const SERVER: u64 = 2;
pub(crate) const CLIENT: u64 = 3;

/// A span.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) trace: Vec<u8>,
    pub(crate) id: Vec<u8>,
    pub(crate) parent: Vec<u8>,
    pub(crate) name: String,
    pub(crate) kind: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) attributes: BTreeMap<String, String>,
}

/// One series of a histogram.
#[derive(Debug)]
pub(crate) struct Histogram {
    pub(crate) name: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) count: u64,
    pub(crate) sum: f64,
    pub(crate) buckets: usize,
    pub(crate) bounds: usize,
}

/// A message: its fields in order.
struct Fields(Vec<(u64, Value)>);

enum Value {
    Number(u64),
    Bytes(Vec<u8>),
}

/// All spans of a request.
pub(crate) fn spans(request: &[u8]) -> Vec<Span> {
    let span = |fields: Fields| Span {
        trace: fields.bytes(1),
        id: fields.bytes(2),
        parent: fields.bytes(4),
        name: fields.text(5),
        kind: fields.number(6),
        start: fields.number(7),
        end: fields.number(8),
        attributes: fields.attributes(9),
    };
    scoped(request).into_iter().map(span).collect()
}

/// All series of all histograms of a request.
pub(crate) fn histograms(request: &[u8]) -> Vec<Histogram> {
    let series = |metric: Fields| {
        let histogram = metric.messages(9).remove(0);
        assert_eq!(histogram.number(2), 2, "cumulative");
        let name = metric.text(1);
        let point = move |point: Fields| Histogram {
            name: name.clone(),
            attributes: point.attributes(9),
            count: point.number(4),
            sum: f64::from_bits(point.number(5)),
            buckets: point.bytes(6).len() / 8,
            bounds: point.bytes(7).len() / 8,
        };
        histogram.messages(1).into_iter().map(point)
    };
    scoped(request).into_iter().flat_map(series).collect()
}

/// What stands below resource and scope, which both signals have alike.
fn scoped(request: &[u8]) -> Vec<Fields> {
    let resources = Fields::read(request).messages(1);
    let scopes = resources.into_iter().flat_map(|resource| {
        let service = resource.messages(1).remove(0).attributes(1);
        assert_eq!(service["service.name"], "gatehouse");
        resource.messages(2)
    });
    scopes.flat_map(|scope| scope.messages(2)).collect()
}

impl Fields {
    fn read(mut rest: &[u8]) -> Self {
        let mut fields = Vec::new();
        while !rest.is_empty() {
            let key = varint(&mut rest);
            let value = match key & 7 {
                0 => Value::Number(varint(&mut rest)),
                1 => {
                    let (bytes, left) = rest.split_first_chunk().unwrap();
                    rest = left;
                    Value::Number(u64::from_le_bytes(*bytes))
                }
                2 => {
                    let length = usize::try_from(varint(&mut rest)).unwrap();
                    let (bytes, left) = rest.split_at(length);
                    rest = left;
                    Value::Bytes(bytes.to_vec())
                }
                other => panic!("wire type {other}"),
            };
            fields.push((key >> 3, value));
        }
        Self(fields)
    }

    fn all(&self, field: u64) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |(own, _)| *own == field).map(|(_, value)| value)
    }

    fn number(&self, field: u64) -> u64 {
        match self.all(field).next() {
            Some(Value::Number(number)) => *number,
            _ => 0,
        }
    }

    fn bytes(&self, field: u64) -> Vec<u8> {
        match self.all(field).next() {
            Some(Value::Bytes(bytes)) => bytes.clone(),
            _ => Vec::new(),
        }
    }

    fn text(&self, field: u64) -> String {
        String::from_utf8(self.bytes(field)).unwrap()
    }

    fn messages(&self, field: u64) -> Vec<Self> {
        let read = |value: &Value| match value {
            Value::Bytes(bytes) => Self::read(bytes),
            Value::Number(number) => panic!("{number} is no message"),
        };
        self.all(field).map(read).collect()
    }

    fn attributes(&self, field: u64) -> BTreeMap<String, String> {
        self.messages(field).iter().map(|pair| (pair.text(1), pair.messages(2).remove(0).any())).collect()
    }

    /// `AnyValue` as text.
    fn any(&self) -> String {
        match self.0.first() {
            Some((1, _)) => self.text(1),
            Some((2 | 3, Value::Number(number))) => number.to_string(),
            Some((4, Value::Number(bits))) => f64::from_bits(*bits).to_string(),
            Some((5, _)) => {
                let values = self.messages(5).remove(0).messages(1);
                values.iter().map(Self::any).collect::<Vec<_>>().join(",")
            }
            _ => panic!("no value"),
        }
    }
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, left) = rest.split_first().unwrap();
        *rest = left;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return value;
        }
    }
    panic!("a number without end")
}
