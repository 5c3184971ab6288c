#include "model/record.h"

#include <cstring>
#include <type_traits>

namespace obs {

namespace {

constexpr std::uint8_t record_version = 1;

template <class T>
void put(std::string& out, T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
void put_array(std::string& out, const std::vector<T>& values) {
    static_assert(std::is_trivially_copyable_v<T>);
    put(out, static_cast<std::uint32_t>(values.size()));
    if (!values.empty()) out.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

template <class T>
void put_column(std::string& out, const Fixed<T>& column) {
    put_array(out, column.values_);
}
template <class T>
void put_column(std::string& out, const Optional<T>& column) {
    put_array(out, column.missing_);
    put_array(out, column.values_);
}
void put_column(std::string& out, const Text& column) {
    put_array(out, column.ends_);
    put(out, static_cast<std::uint32_t>(column.bytes_.size()));
    out += column.bytes_;
}
void put_column(std::string& out, const Dict& column) {
    put_column(out, column.dictionary_.values());
    put_column(out, column.codes_);
}
void put_column(std::string& out, const TextList& column) {
    put_array(out, column.ends_);
    put_column(out, column.items_);
}
void put_column(std::string& out, const Map& column) {
    put_array(out, column.ends_);
    put_column(out, column.keys_dictionary_.values());
    put_array(out, column.codes_);
    put_column(out, column.values_);
    put_array(out, column.types_);
}

// Reads what put() wrote; after the first mistake everything reads as empty and ok() is false.
class Reader {
public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    bool ok() const { return ok_; }
    std::string_view rest() const { return rest_; }
    void require(bool condition) { ok_ = ok_ && condition; }

    template <class T>
    T take() {
        T value{};
        const std::string_view raw = bytes(sizeof value);
        if (ok_) std::memcpy(&value, raw.data(), sizeof value);
        return value;
    }
    std::string_view bytes(std::size_t count) {
        require(count <= rest_.size());
        if (!ok_) return {};
        const std::string_view taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }
    template <class T>
    std::vector<T> array(std::size_t most) {
        const auto count = take<std::uint32_t>();
        require(count <= most && std::size_t{count} * sizeof(T) <= rest_.size());
        std::vector<T> values;
        if (!ok_ || count == 0) return values;
        values.resize(count);
        std::memcpy(values.data(), bytes(count * sizeof(T)).data(), count * sizeof(T));
        return values;
    }
    // Ends of consecutive pieces of something that has `total` parts.
    std::vector<std::uint32_t> ends(std::size_t most) {
        auto values = array<std::uint32_t>(most);
        for (std::size_t i = 1; i < values.size(); ++i) require(values[i - 1] <= values[i]);
        return values;
    }
    Text text(std::size_t most) {
        Text column;
        column.ends_ = ends(most);
        column.bytes_ = bytes(take<std::uint32_t>());
        require((column.ends_.empty() ? 0 : column.ends_.back()) == column.bytes_.size());
        return column;
    }

private:
    std::string_view rest_;
    bool ok_ = true;
};

constexpr std::size_t any_count = UINT32_MAX;

void require_codes(Reader& reader, const std::vector<std::uint32_t>& codes, const Dictionary& dictionary) {
    for (const std::uint32_t code : codes) reader.require(code < dictionary.size());
}

Dictionary take_dictionary(Reader& reader) {
    Text values = reader.text(any_count);
    reader.require(values.stored() == 0 || values[0].empty());
    Dictionary dictionary;
    if (reader.ok() && values.stored() != 0) dictionary.assign(std::move(values));
    return dictionary;
}

template <class T>
void take_column(Reader& reader, std::size_t rows, Fixed<T>& column) {
    column.values_ = reader.array<T>(rows);
}
template <class T>
void take_column(Reader& reader, std::size_t rows, Optional<T>& column) {
    column.missing_ = reader.array<std::uint8_t>(rows);
    column.values_ = reader.array<T>(rows);
    reader.require(column.missing_.size() == column.values_.size());
}
void take_column(Reader& reader, std::size_t rows, Text& column) {
    column = reader.text(rows);
}
void take_column(Reader& reader, std::size_t rows, Dict& column) {
    column.dictionary_ = take_dictionary(reader);
    take_column(reader, rows, column.codes_);
    require_codes(reader, column.codes_.values_, column.dictionary_);
}
void take_column(Reader& reader, std::size_t rows, TextList& column) {
    column.ends_ = reader.ends(rows);
    column.items_ = reader.text(any_count);
    reader.require((column.ends_.empty() ? 0 : column.ends_.back()) == column.items_.stored());
}
void take_column(Reader& reader, std::size_t rows, Map& column) {
    column.ends_ = reader.ends(rows);
    column.keys_dictionary_ = take_dictionary(reader);
    column.codes_ = reader.array<std::uint32_t>(any_count);
    column.values_ = reader.text(any_count);
    column.types_ = reader.array<AttributeType>(any_count);
    const std::size_t entries = column.ends_.empty() ? 0 : column.ends_.back();
    reader.require(column.codes_.size() == entries && column.values_.stored() == entries &&
                   column.types_.size() == entries);
    for (const AttributeType type : column.types_) reader.require(type <= AttributeType::empty);
    require_codes(reader, column.codes_, column.keys_dictionary_);
}

template <class Batch>
Result<AnyBatch> take_batch(Reader& reader, std::size_t rows, std::size_t columns) {
    Batch batch;
    for (std::size_t i = 0; i < columns && reader.ok(); ++i) {
        const std::string_view name = reader.bytes(reader.take<std::uint8_t>());
        const auto type = reader.take<ColumnType>();
        const auto optional = reader.take<std::uint8_t>();
        Reader content(reader.bytes(reader.take<std::uint32_t>()));
        if (!reader.ok()) break;
        const ColumnInfo* known = find_column(Batch::table, name);
        if (known == nullptr) continue;
        if (known->type != type || known->optional != (optional != 0))
            return fail(ErrorKind::corrupt,
                        "column {} of {} has changed its type since the record was written", name,
                        table_name(Batch::table));
        batch.for_each_column([&](const ColumnInfo& info, auto& column) {
            if (&info == known) take_column(content, rows, column);
        });
        reader.require(content.ok() && content.rest().empty());
    }
    reader.require(batch.size() == rows);
    if (!reader.ok())
        return fail(ErrorKind::corrupt, "a record of {} is not readable", table_name(Batch::table));
    return batch;
}

template <class Batch>
void append_batch(std::string& out, const Batch& batch) {
    put(out, record_version);
    put(out, batch.table);
    put(out, static_cast<std::uint32_t>(batch.size()));
    const std::size_t count_at = out.size();
    put(out, std::uint16_t{0});
    std::uint16_t count = 0;
    batch.for_each_column([&](const ColumnInfo& info, const auto& column) {
        if (info.has(derived) || column.stored() == 0) return;
        put(out, static_cast<std::uint8_t>(info.name.size()));
        out += info.name;
        put(out, info.type);
        put(out, static_cast<std::uint8_t>(info.optional));
        const std::size_t length_at = out.size();
        put(out, std::uint32_t{0});
        put_column(out, column);
        const auto length = static_cast<std::uint32_t>(out.size() - length_at - sizeof(std::uint32_t));
        std::memcpy(out.data() + length_at, &length, sizeof length);
        ++count;
    });
    std::memcpy(out.data() + count_at, &count, sizeof count);
}

}  // namespace

void append_record(std::string& out, const SpanBatch& batch) {
    append_batch(out, batch);
}
void append_record(std::string& out, const AnyBatch& batch) {
    std::visit([&](const auto& rows) { append_batch(out, rows); }, batch);
}

Result<AnyBatch> read_record(std::string_view& bytes) {
    Reader reader(bytes);
    const auto version = reader.take<std::uint8_t>();
    const auto table = reader.take<TableId>();
    const auto rows = reader.take<std::uint32_t>();
    const auto columns = reader.take<std::uint16_t>();
    if (!reader.ok() || version != record_version)
        return fail(ErrorKind::corrupt, "a record has the unknown version {}", version);
    auto batch = [&]() -> Result<AnyBatch> {
        switch (table) {
            case TableId::spans: return take_batch<SpanBatch>(reader, rows, columns);
            case TableId::logs: return take_batch<LogBatch>(reader, rows, columns);
            case TableId::metric_points: return take_batch<MetricBatch>(reader, rows, columns);
            case TableId::scores: return take_batch<ScoreBatch>(reader, rows, columns);
            case TableId::audit: return take_batch<AuditBatch>(reader, rows, columns);
        }
        return fail(ErrorKind::corrupt, "a record is of the unknown table {}", static_cast<int>(table));
    }();
    if (batch) bytes = reader.rest();
    return batch;
}

}  // namespace obs
