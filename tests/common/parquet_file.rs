//! Parquet files as the hub's library for data sets writes them.

use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// One row; `label` counts in `names` of [`parquet_file`].
pub struct Row {
    pub bytes: Vec<u8>,
    pub path: Option<&'static str>,
    pub domain: &'static str,
    pub label: i64,
}

/// The bytes of a file with one row group for every three rows.
pub fn parquet_file(names: &[&str], rows: &[Row]) -> Vec<u8> {
    let schema = "message schema {
        optional group image { optional binary bytes; optional binary path (STRING); }
        optional binary domain (STRING);
        optional int64 label;
    }";
    let features = serde_json::json!({ "info": { "features": {
        "image": { "_type": "Image" },
        "domain": { "dtype": "string", "_type": "Value" },
        "label": { "names": names, "_type": "ClassLabel" },
    } } });
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(vec![KeyValue::new("huggingface".to_owned(), features.to_string())]))
        .build();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for rows in rows.chunks(3) {
        let mut group = file.next_row_group().unwrap();
        let bytes: Vec<ByteArray> = rows.iter().map(|row| row.bytes.clone().into()).collect();
        let paths: Vec<ByteArray> = rows.iter().filter_map(|row| row.path.map(ByteArray::from)).collect();
        let path_levels: Vec<i16> = rows.iter().map(|row| 1 + i16::from(row.path.is_some())).collect();
        let domains: Vec<ByteArray> = rows.iter().map(|row| row.domain.into()).collect();
        let labels: Vec<i64> = rows.iter().map(|row| row.label).collect();
        for (values, levels) in
            [(bytes, vec![2; rows.len()]), (paths, path_levels), (domains, vec![1; rows.len()])]
        {
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
            column.close().unwrap();
        }
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&labels, Some(&vec![1; rows.len()]), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    file.into_inner().unwrap()
}
