//! Records as a Parquet file: columns for what one asks by, and the leaf itself, as it was signed.

use anyhow::{Context as _, Result, bail};
use gatehouse_audit::View;
use parquet::basic::{Compression, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use std::io::Write;
use std::mem::take;
use std::sync::Arc;

/// The columns, in the order in which [`Rows::add`] fills them. What is unknown is null.
const SCHEMA: &str = "message record {
    required binary shard (STRING);
    required int64 seq;
    required int64 ts (TIMESTAMP(MICROS,true));
    required binary kind (STRING);
    optional binary record (STRING);
    optional binary org (STRING);
    optional binary team (STRING);
    optional binary app (STRING);
    optional binary use_case (STRING);
    optional binary subject (STRING);
    optional binary key (STRING);
    optional binary run (STRING);
    optional binary operation (STRING);
    optional binary surface (STRING);
    optional binary model (STRING);
    optional binary provider (STRING);
    optional binary served (STRING);
    optional binary error (STRING);
    optional binary guards (STRING);
    optional binary cost_status (STRING);
    optional int64 status;
    optional int64 input_tokens;
    optional int64 cached_tokens;
    optional int64 output_tokens;
    optional int64 reasoning_tokens;
    optional int64 cost_nano_usd;
    optional int64 total_us;
    optional int64 ttft_us;
    required binary leaf (STRING);
}";
/// Rows that are gathered before they are written.
const GROUP_ROWS: usize = 50_000;

/// A Parquet file that is written.
pub(crate) struct Rows<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<Column>,
    rows: usize,
}

/// Values of one column; nulls are counted in `levels` and have no value.
enum Column {
    Text { values: Vec<ByteArray>, levels: Vec<i16>, optional: bool },
    Number { values: Vec<i64>, levels: Vec<i16>, optional: bool },
}

// === impl Rows ===

impl<W: Write + Send> Rows<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn begin(to: W) -> Result<Self> {
        let schema = Arc::new(parse_message_type(SCHEMA).context("the schema does not read")?);
        let compression = Compression::ZSTD(ZstdLevel::default());
        let properties = WriterProperties::builder().set_compression(compression).build();
        let file = SerializedFileWriter::new(to, schema, Arc::new(properties))?;
        let columns = SCHEMA.lines().filter_map(Column::declared).collect();
        Ok(Self { file, columns, rows: 0 })
    }

    /// A leaf.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn add(&mut self, leaf: &[u8], view: &View<'_>) -> Result<()> {
        let guards = super::guards(view).join(",");
        let some = |text: &str| (!text.is_empty()).then(|| ByteArray::from(text));
        let mut columns = self.columns.iter_mut();
        if let Some(column) = columns.next() {
            column.text(some(&view.shard));
        }
        let signed = |value: u64| Some(i64::try_from(value).unwrap_or(i64::MAX));
        for value in [signed(view.seq), signed(view.at())] {
            if let Some(column) = columns.next() {
                column.number(value);
            }
        }
        let texts: [&str; 17] = [
            &view.kind,
            &view.id,
            &view.org.org,
            &view.org.team,
            &view.org.app,
            &view.org.use_case,
            &view.subject,
            &view.actor.credential,
            &view.corr.run_id,
            &view.op,
            &view.surface,
            &view.model.requested,
            &view.model.provider,
            &view.model.served,
            &view.result.error,
            &guards,
            &view.cost.status,
        ];
        for value in texts {
            if let Some(column) = columns.next() {
                column.text(some(value));
            }
        }
        let more = |value: u64| signed(value).filter(|value| *value > 0);
        let numbers = [
            more(view.result.status.into()),
            more(view.usage.input),
            more(view.usage.in_cached),
            more(view.usage.out),
            more(view.usage.reasoning),
            view.cost.nano.and_then(signed),
            more(view.timing.total_us),
            more(view.timing.ttft_us),
        ];
        for value in numbers {
            if let Some(column) = columns.next() {
                column.number(value);
            }
        }
        if let Some(column) = columns.next() {
            column.text(Some(ByteArray::from(leaf.to_vec())));
        }
        self.rows += 1;
        if self.rows == GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn end(mut self) -> Result<()> {
        self.flush()?;
        self.file.close()?;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if take(&mut self.rows) == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        self.columns.iter_mut().try_for_each(|column| column.write(&mut group))?;
        group.close()?;
        Ok(())
    }
}

// === impl Column ===

impl Column {
    /// The column that a line of the schema declares.
    fn declared(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let optional = match words.next()? {
            "optional" => true,
            "required" => false,
            _ => return None,
        };
        Some(match words.next()? {
            "int64" => Self::Number { values: Vec::new(), levels: Vec::new(), optional },
            _ => Self::Text { values: Vec::new(), levels: Vec::new(), optional },
        })
    }

    fn text(&mut self, value: Option<ByteArray>) {
        if let Self::Text { values, levels, .. } = self {
            levels.push(i16::from(value.is_some()));
            values.extend(value);
        }
    }

    fn number(&mut self, value: Option<i64>) {
        if let Self::Number { values, levels, .. } = self {
            levels.push(i16::from(value.is_some()));
            values.extend(value);
        }
    }

    fn write<W: Write + Send>(&mut self, group: &mut SerializedRowGroupWriter<'_, W>) -> Result<()> {
        let Some(mut writer) = group.next_column()? else { bail!("the schema has fewer columns") };
        match (&mut *self, writer.untyped()) {
            (Self::Text { values, levels, optional }, ColumnWriter::ByteArrayColumnWriter(writer)) => {
                writer.write_batch(&take(values), optional.then_some(&take(levels)), None)?;
                levels.clear();
            }
            (Self::Number { values, levels, optional }, ColumnWriter::Int64ColumnWriter(writer)) => {
                writer.write_batch(&take(values), optional.then_some(&take(levels)), None)?;
                levels.clear();
            }
            _ => bail!("the schema has another column here"),
        }
        writer.close()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Rows;
    use crate::export::samples::{DENIED, EVENT, SETTLED};
    use gatehouse_audit::View;
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::RowAccessor as _;

    #[test]
    fn leaves_come_back_with_their_columns() {
        let mut bytes = Vec::new();
        let mut rows = Rows::begin(&mut bytes).unwrap();
        for leaf in [SETTLED, DENIED, EVENT] {
            rows.add(leaf.as_bytes(), &View::parse(leaf.as_bytes()).unwrap()).unwrap();
        }
        rows.end().unwrap();
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        let names: Vec<_> = rows[0].get_column_iter().map(|(name, _)| name.as_str()).collect();
        let at = |name: &str| names.iter().position(|known| *known == name).unwrap();
        for (row, leaf) in rows.iter().zip([SETTLED, DENIED, EVENT]) {
            assert_eq!(row.get_string(at("leaf")).unwrap(), leaf);
        }
        assert_eq!(rows[0].get_string(at("team")).unwrap(), "support");
        assert_eq!(rows[0].get_string(at("guards")).unwrap(), "names=redact");
        assert_eq!(
            (rows[0].get_long(at("cost_nano_usd")).unwrap(), rows[0].get_long(at("seq")).unwrap()),
            (987_654, 7)
        );
        assert_eq!(rows[1].get_string(at("error")).unwrap(), "guard_blocked");
        assert!(rows[2].get_string(at("team")).is_err(), "null");
    }
}
