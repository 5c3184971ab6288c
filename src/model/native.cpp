#include "model/native.h"

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstring>
#include <span>
#include <type_traits>

#include <fmt/format.h>

namespace obs {

namespace {

static_assert(std::endian::native == std::endian::little, "Native is little endian and written as it lies");

constexpr std::string_view types_suffix = "_types";

// ---------------------------------------------------------------------------------------------------------
// Types

std::string_view plain_type(ColumnType type) {
    switch (type) {
        case ColumnType::text: return "String";
        case ColumnType::dict: return "LowCardinality(String)";
        case ColumnType::text_list: return "Array(String)";
        case ColumnType::map: return "Map(LowCardinality(String), String)";
        case ColumnType::u8: return "UInt8";
        case ColumnType::u16: return "UInt16";
        case ColumnType::u32: return "UInt32";
        case ColumnType::u64: return "UInt64";
        case ColumnType::f64: return "Float64";
        case ColumnType::boolean: return "Bool";
        case ColumnType::time: return "DateTime64(9, 'UTC')";
        case ColumnType::i64:
        case ColumnType::duration:
        case ColumnType::tokens: return "Int64";
        case ColumnType::usd: return "Decimal(18, 9)";
        case ColumnType::trace_id: return "FixedString(16)";
        case ColumnType::span_id: return "FixedString(8)";
    }
    return {};
}

std::string type_of(const ColumnInfo& column) {
    const std::string_view plain = plain_type(column.type);
    return column.optional ? fmt::format("Nullable({})", plain) : std::string(plain);
}

std::vector<NativeColumn> describe(TableId table) {
    std::vector<NativeColumn> columns;
    for (const ColumnInfo& column : columns_of(table)) {
        columns.push_back({std::string(column.name), type_of(column), &column});
        if (column.type == ColumnType::map)
            columns.push_back({fmt::format("{}{}", column.name, types_suffix), "Array(UInt8)", &column});
    }
    return columns;
}

// ---------------------------------------------------------------------------------------------------------
// Writing

// How a LowCardinality column starts: its version, then per block what follows.
constexpr std::uint64_t dictionary_version = 1;
constexpr std::uint64_t has_additional_keys = 1 << 9;
constexpr std::uint64_t needs_update = 1 << 10;

constexpr std::size_t longest_varint = 10;

class Writer {
public:
    explicit Writer(Buffer& out) : out_(out), at_(out.size()) {}
    ~Writer() { out_.resize(at_); }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    // Room for `bytes` more; what follows does not look.
    void room(std::size_t bytes) {
        if (at_ + bytes <= out_.size()) return;
        if (at_ + bytes > out_.capacity())
            out_.reserve(std::max(at_ + bytes, out_.capacity() + out_.capacity() / 2));
        out_.resize(out_.capacity());
    }
    void varint(std::uint64_t value) {
        char* to = out_.data() + at_;
        while (value >= 128) {
            *to++ = static_cast<char>(value | 128);
            value >>= 7;
        }
        *to++ = static_cast<char>(value);
        at_ = static_cast<std::size_t>(to - out_.data());
    }
    void raw(const void* data, std::size_t size) {
        if (size != 0) std::memcpy(out_.data() + at_, data, size);
        at_ += size;
    }
    void fill(char byte, std::size_t size) {
        std::memset(out_.data() + at_, byte, size);
        at_ += size;
    }
    template <class T>
    void value(T value) {
        raw(&value, sizeof value);
    }
    void text(std::string_view text) {
        varint(text.size());
        raw(text.data(), text.size());
    }

private:
    Buffer& out_;
    std::size_t at_;
};

// An array of which the rows behind its end are zero.
template <class T>
void write_padded(Writer& out, const std::vector<T>& values, std::size_t rows) {
    static_assert(std::is_trivially_copyable_v<T>);
    const std::size_t stored = std::min(values.size(), rows);
    out.room(rows * sizeof(T));
    out.raw(values.data(), stored * sizeof(T));
    out.fill(0, (rows - stored) * sizeof(T));
}

template <class T>
void write_column(Writer& out, const Fixed<T>& column, std::size_t rows) {
    write_padded(out, column.values_, rows);
}

template <class T>
void write_column(Writer& out, const Optional<T>& column, std::size_t rows) {
    const std::size_t stored = std::min(column.missing_.size(), rows);
    out.room(rows);
    out.raw(column.missing_.data(), stored);
    out.fill(1, rows - stored);
    write_padded(out, column.values_, rows);
}

void write_texts(Writer& out, const Text& texts, std::size_t rows) {
    const std::size_t stored = std::min(texts.ends_.size(), rows);
    out.room(texts.bytes_.size() + stored * 5 + rows);
    std::uint32_t begin = 0;
    for (std::size_t row = 0; row < stored; ++row) {
        const std::uint32_t end = texts.ends_[row];
        out.varint(end - begin);
        out.raw(texts.bytes_.data() + begin, end - begin);
        begin = end;
    }
    out.fill(0, rows - stored);
}

void write_column(Writer& out, const Text& column, std::size_t rows) {
    write_texts(out, column, rows);
}

template <class Code>
void write_codes(Writer& out, std::span<const std::uint32_t> codes, std::size_t rows) {
    out.room(rows * sizeof(Code));
    for (const std::uint32_t code : codes) out.value(static_cast<Code>(code));
    out.fill(0, (rows - codes.size()) * sizeof(Code));
}

// Keys and codes of a LowCardinality column, without its version.
void write_dictionary(Writer& out, const Dictionary& dictionary, std::span<const std::uint32_t> codes,
                      std::size_t rows) {
    const std::size_t keys = dictionary.size();
    const std::uint64_t width = keys <= 1 << 8 ? 0 : keys <= 1 << 16 ? 1 : 2;
    out.room(2 * sizeof(std::uint64_t));
    out.value(width | has_additional_keys | needs_update);
    out.value(static_cast<std::uint64_t>(keys));
    write_texts(out, dictionary.values(), keys);
    out.room(sizeof(std::uint64_t));
    out.value(static_cast<std::uint64_t>(rows));
    if (width == 0) write_codes<std::uint8_t>(out, codes, rows);
    if (width == 1) write_codes<std::uint16_t>(out, codes, rows);
    if (width == 2) write_codes<std::uint32_t>(out, codes, rows);
}

void write_version(Writer& out) {
    out.room(sizeof dictionary_version);
    out.value(dictionary_version);
}

void write_column(Writer& out, const Dict& column, std::size_t rows) {
    const auto& codes = column.codes_.values_;
    write_version(out);
    write_dictionary(out, column.dictionary_, std::span(codes).first(std::min(codes.size(), rows)), rows);
}

void write_ends(Writer& out, const std::vector<std::uint32_t>& ends, std::size_t rows) {
    const std::size_t stored = std::min(ends.size(), rows);
    out.room(rows * sizeof(std::uint64_t));
    for (std::size_t row = 0; row < stored; ++row) out.value(static_cast<std::uint64_t>(ends[row]));
    const std::uint64_t last = stored == 0 ? 0 : ends[stored - 1];
    for (std::size_t row = stored; row < rows; ++row) out.value(last);
}

void write_column(Writer& out, const TextList& column, std::size_t rows) {
    write_ends(out, column.ends_, rows);
    write_texts(out, column.items_, column.items_.stored());
}

void write_column(Writer& out, const Map& column, std::size_t rows) {
    write_version(out);
    write_ends(out, column.ends_, rows);
    if (column.codes_.empty()) return;
    write_dictionary(out, column.keys_dictionary_, column.codes_, column.codes_.size());
    write_texts(out, column.values_, column.codes_.size());
}

// The types of rows that hold anything but text; most rows of most programs hold text alone.
void write_types(Writer& out, const Map& column, std::size_t rows) {
    out.room(rows * sizeof(std::uint64_t));
    std::vector<AttributeType> kept;
    for (std::size_t row = 0; row < rows; ++row) {
        const auto first = column.types_.begin() + static_cast<std::ptrdiff_t>(column.begin(row));
        const auto last = column.types_.begin() + static_cast<std::ptrdiff_t>(column.end(row));
        if (std::any_of(first, last, [](AttributeType type) { return type != AttributeType::text; }))
            kept.insert(kept.end(), first, last);
        out.value(static_cast<std::uint64_t>(kept.size()));
    }
    out.room(kept.size());
    out.raw(kept.data(), kept.size());
}

template <class Column>
bool untouched(const Column& column) {
    return column.stored() == 0;
}

void write_header(Writer& out, std::string_view name, std::string_view type) {
    out.room(name.size() + type.size() + 2 * longest_varint);
    out.text(name);
    out.text(type);
}

template <class Batch>
void write_block(const Batch& batch, Buffer& buffer) {
    const std::size_t rows = batch.size();
    std::size_t columns = 0;
    batch.for_each_column([&](const ColumnInfo& info, const auto& column) {
        if (!untouched(column)) columns += info.type == ColumnType::map ? 2 : 1;
    });
    Writer out(buffer);
    out.room(2 * longest_varint);
    out.varint(columns);
    out.varint(rows);
    auto described = native_columns(Batch::table).begin();
    batch.for_each_column([&]<class Column>(const ColumnInfo&, const Column& column) {
        const NativeColumn& native = *described++;
        if (!untouched(column)) {
            write_header(out, native.name, native.type);
            write_column(out, column, rows);
        }
        if constexpr (std::is_same_v<Column, Map>) {
            const NativeColumn& types = *described++;
            if (!untouched(column)) {
                write_header(out, types.name, types.type);
                write_types(out, column, rows);
            }
        }
    });
}

// ---------------------------------------------------------------------------------------------------------
// Reading. A Reader that ran over the end stays failed and gives zeros, so that one look at the end suffices.

class Reader {
public:
    explicit Reader(std::string_view bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

    bool failed() const { return failed_; }
    bool done() const { return at_ == end_ || failed_; }
    std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (at_ == end_) break;
            const auto byte = static_cast<unsigned char>(*at_++);
            value |= static_cast<std::uint64_t>(byte & 127) << shift;
            if (byte < 128) return value;
        }
        failed_ = true;
        return 0;
    }
    // Points into the bytes; empty after a failure.
    std::string_view raw(std::size_t size) {
        if (failed_ || size > left()) {
            failed_ = true;
            return {};
        }
        const std::string_view bytes(at_, size);
        at_ += size;
        return bytes;
    }
    template <class T>
    T value() {
        T value{};
        const std::string_view bytes = raw(sizeof value);
        if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    }
    std::string_view text() { return raw(varint()); }
    // A number of things that each take at least one byte, so that a lie cannot ask for memory.
    std::size_t count(std::uint64_t claimed) {
        if (claimed > left()) failed_ = true;
        return failed_ ? 0 : claimed;
    }
    void fail() { failed_ = true; }

private:
    const char* at_;
    const char* end_;
    bool failed_ = false;
};

template <class T>
void read_array(Reader& in, std::vector<T>& values, std::size_t base, std::size_t rows) {
    if (rows > in.left() / sizeof(T)) return in.fail();
    const std::string_view bytes = in.raw(rows * sizeof(T));
    values.resize(base + rows);
    if (!bytes.empty()) std::memcpy(values.data() + base, bytes.data(), bytes.size());
}

// Where a block's rows go: behind the `base` rows that are there.
struct Place {
    std::size_t base, rows;
};

template <class T>
void read_column(Reader& in, std::string_view, Fixed<T>& column, Place place) {
    read_array(in, column.values_, place.base, place.rows);
}

template <class T>
void read_column(Reader& in, std::string_view, Optional<T>& column, Place place) {
    column.missing_.resize(place.base, 1);
    read_array(in, column.missing_, place.base, place.rows);
    read_array(in, column.values_, place.base, place.rows);
    // A missing value reads as zero whatever the engine left there.
    column.missing_.resize(column.values_.size(), 1);
    for (std::size_t row = place.base; row < column.values_.size(); ++row)
        if (column.missing_[row] != 0) column.values_[row] = T{};
}

void read_column(Reader& in, std::string_view, Text& column, Place place) {
    for (std::size_t row = 0; row < place.rows && !in.failed(); ++row)
        column.put(place.base + row, in.text());
}

// Calls put(i, text) for each of `rows` values of a LowCardinality column whose version was read.
template <class Put>
void read_dictionary(Reader& in, std::size_t rows, Put&& put) {
    std::vector<std::string_view> keys;
    for (std::size_t done = 0; done < rows && !in.failed();) {
        const auto flags = in.value<std::uint64_t>();
        const auto width = flags & 0xff;
        if ((flags & has_additional_keys) == 0 || width > 2) return in.fail();
        keys.assign(in.count(in.value<std::uint64_t>()), {});
        for (std::string_view& key : keys) key = in.text();
        const std::size_t here = in.count(in.value<std::uint64_t>());
        if (here == 0 || here > rows - done) return in.fail();
        for (std::size_t i = 0; i < here && !in.failed(); ++i) {
            const std::uint32_t code = width == 0   ? in.value<std::uint8_t>()
                                       : width == 1 ? in.value<std::uint16_t>()
                                                    : in.value<std::uint32_t>();
            if (code >= keys.size()) return in.fail();
            put(done + i, keys[code]);
        }
        done += here;
    }
}

template <class Put>
void read_words(Reader& in, bool low_cardinality, std::size_t rows, Put&& put) {
    if (low_cardinality) return read_dictionary(in, rows, put);
    for (std::size_t row = 0; row < rows && !in.failed(); ++row) put(row, in.text());
}

void read_column(Reader& in, std::string_view type, Dict& column, Place place) {
    const bool low_cardinality = type != "String";
    if (low_cardinality) in.value<std::uint64_t>();
    read_words(in, low_cardinality, place.rows,
               [&](std::size_t row, std::string_view text) { column.put(place.base + row, text); });
}

// Ends of each row, checked to grow; empty after a failure.
std::vector<std::uint64_t> read_ends(Reader& in, std::size_t rows) {
    std::vector<std::uint64_t> ends;
    read_array(in, ends, 0, rows);
    if (in.failed() || !std::ranges::is_sorted(ends)) {
        in.fail();
        return {};
    }
    if (!ends.empty()) in.count(ends.back());
    return in.failed() ? std::vector<std::uint64_t>{} : ends;
}

void read_column(Reader& in, std::string_view, TextList& column, Place place) {
    const std::vector<std::uint64_t> ends = read_ends(in, place.rows);
    std::vector<std::string_view> values;
    std::uint64_t begin = 0;
    for (std::size_t row = 0; row < ends.size(); begin = ends[row++]) {
        values.clear();
        for (std::uint64_t i = begin; i < ends[row]; ++i) values.push_back(in.text());
        if (in.failed()) return;
        column.put(place.base + row, values);
    }
}

void read_column(Reader& in, std::string_view type, Map& column, Place place) {
    const bool low_cardinality = type != "Map(String, String)";
    if (low_cardinality) in.value<std::uint64_t>();
    const std::vector<std::uint64_t> ends = read_ends(in, place.rows);
    if (in.failed() || ends.empty()) return;
    std::vector<std::string_view> keys(ends.back());
    read_words(in, low_cardinality, keys.size(), [&](std::size_t i, std::string_view key) { keys[i] = key; });
    std::uint64_t at = 0;
    for (std::size_t row = 0; row < ends.size(); ++row)
        for (; at < ends[row] && !in.failed(); ++at)
            column.put(place.base + row, keys[at], in.text(), AttributeType::text);
}

// Comes after the column itself.
void read_types(Reader& in, Map& column, Place place) {
    const std::vector<std::uint64_t> ends = read_ends(in, place.rows);
    std::uint64_t begin = 0;
    for (std::size_t row = 0; row < ends.size(); begin = ends[row++]) {
        const std::size_t count = ends[row] - begin;
        const std::size_t to = column.begin(place.base + row);
        if (count == 0) continue;
        if (count != column.end(place.base + row) - to) return in.fail();
        for (std::size_t i = 0; i < count; ++i)
            column.types_[to + i] = static_cast<AttributeType>(in.value<std::uint8_t>());
    }
}

template <class Batch>
using ReadColumn = void (*)(Reader&, std::string_view type, Batch&, Place);

#define OBS_READ_COLUMN(name, Type, flags, meaning)                                     \
    [](Reader& in, std::string_view type, decltype(batch_type())& batch, Place place) { \
        read_column(in, type, batch.name, place);                                       \
    },

template <class Batch>
struct Columns;
#define OBS_COLUMN_READERS(Batch, COLUMNS)                                      \
    template <>                                                                 \
    struct Columns<Batch> {                                                     \
        static Batch batch_type();                                              \
        static constexpr ReadColumn<Batch> read[] = {COLUMNS(OBS_READ_COLUMN)}; \
    };
OBS_COLUMN_READERS(SpanBatch, OBS_SPAN_COLUMNS)
OBS_COLUMN_READERS(LogBatch, OBS_LOG_COLUMNS)
OBS_COLUMN_READERS(MetricBatch, OBS_METRIC_COLUMNS)
OBS_COLUMN_READERS(ScoreBatch, OBS_SCORE_COLUMNS)
OBS_COLUMN_READERS(AuditBatch, OBS_AUDIT_COLUMNS)
#undef OBS_COLUMN_READERS
#undef OBS_READ_COLUMN

bool readable(const NativeColumn& native, std::string_view type) {
    if (type == native.type) return true;
    return (native.column->type == ColumnType::dict && type == "String") ||
           (native.column->type == ColumnType::map && type == "Map(String, String)");
}

// Every table has one map column at most.
Map* map_of(SpanBatch& batch) {
    return &batch.attributes;
}
Map* map_of(LogBatch& batch) {
    return &batch.attributes;
}
Map* map_of(MetricBatch& batch) {
    return &batch.attributes;
}
Map* map_of(ScoreBatch& batch) {
    return &batch.attributes;
}
Map* map_of(AuditBatch& batch) {
    return &batch.attributes;
}

template <class Batch>
Result<void> read_block(Reader& in, Batch& batch) {
    const std::vector<NativeColumn>& known = native_columns(Batch::table);
    const std::uint64_t columns = in.varint();
    const Place place{.base = batch.size(), .rows = in.varint()};
    std::size_t next = 0;
    for (std::uint64_t i = 0; i < columns && !in.failed(); ++i) {
        const std::string_view name = in.text();
        const std::string_view type = in.text();
        if (in.failed()) break;
        // Answers name the columns in the order of the schema, so that the next one is nearly always it.
        std::size_t tried = 0;
        while (tried < known.size() && known[next].name != name) {
            next = (next + 1) % known.size();
            ++tried;
        }
        if (tried == known.size() || !readable(known[next], type))
            return fail(ErrorKind::corrupt, "table {} has no column {} of type {}", table_name(Batch::table),
                        name, type);
        if (place.rows == 0) continue;
        const ColumnInfo* info = known[next].column;
        if (known[next].name.size() != info->name.size())
            read_types(in, *map_of(batch), place);
        else
            Columns<Batch>::read[info - columns_of(Batch::table).data()](in, type, batch, place);
    }
    if (in.failed())
        return fail(ErrorKind::corrupt, "a block of {} is cut or damaged", table_name(Batch::table));
    return {};
}

// ---------------------------------------------------------------------------------------------------------
// Figures

template <class T>
void read_cells(Reader& in, std::span<std::vector<Cell>> rows, bool nullable) {
    std::vector<std::uint8_t> missing;
    if (nullable) read_array(in, missing, 0, rows.size());
    for (std::size_t row = 0; row < rows.size() && !in.failed(); ++row) {
        Cell cell;
        if constexpr (std::is_same_v<T, std::string>)
            cell = std::string(in.text());
        else if constexpr (std::is_same_v<T, double>)
            cell = in.value<double>();
        else
            cell = static_cast<std::int64_t>(in.value<T>());
        if (nullable && missing[row] != 0) cell = std::monostate{};
        rows[row].push_back(std::move(cell));
    }
}

void read_list_cells(Reader& in, std::span<std::vector<Cell>> rows) {
    const std::vector<std::uint64_t> ends = read_ends(in, rows.size());
    std::uint64_t at = 0;
    for (std::size_t row = 0; row < ends.size() && !in.failed(); ++row) {
        std::vector<std::string> list;
        for (; at < ends[row]; ++at) list.emplace_back(in.text());
        rows[row].emplace_back(std::move(list));
    }
}

// False for a type that is not of figures.
bool read_cells(Reader& in, std::string_view type, std::span<std::vector<Cell>> rows) {
    constexpr std::string_view wrapper = "Nullable(";
    const bool nullable = type.starts_with(wrapper);
    if (nullable) type = type.substr(wrapper.size(), type.size() - wrapper.size() - 1);
    if (type == "Int64")
        read_cells<std::int64_t>(in, rows, nullable);
    else if (type == "UInt64")
        read_cells<std::uint64_t>(in, rows, nullable);
    else if (type == "Float64")
        read_cells<double>(in, rows, nullable);
    else if (type == "String")
        read_cells<std::string>(in, rows, nullable);
    else if (type == "Array(String)")
        read_list_cells(in, rows);
    else
        return false;
    return true;
}

Result<void> read_block(Reader& in, Table& table) {
    const std::uint64_t columns = in.count(in.varint());
    const std::size_t base = table.rows.size();
    const std::size_t rows = in.count(in.varint());
    const bool first = table.columns.empty();
    table.rows.resize(base + rows);
    for (std::uint64_t i = 0; i < columns && !in.failed(); ++i) {
        const std::string_view name = in.text();
        const std::string_view type = in.text();
        if (first) table.columns.emplace_back(name);
        if (rows != 0 && !read_cells(in, type, std::span(table.rows).subspan(base)))
            return fail(ErrorKind::corrupt, "a figure {} of type {} was not expected", name, type);
    }
    if (in.failed()) return fail(ErrorKind::corrupt, "a block of figures is cut or damaged");
    return {};
}

}  // namespace

const std::vector<NativeColumn>& native_columns(TableId table) {
    static const std::vector<NativeColumn> tables[] = {describe(TableId::spans), describe(TableId::logs),
                                                       describe(TableId::metric_points),
                                                       describe(TableId::scores), describe(TableId::audit)};
    return tables[static_cast<std::size_t>(table)];
}

void append_native(const AnyBatch& rows, Buffer& out) {
    std::visit([&](const auto& batch) { write_block(batch, out); }, rows);
}

Result<void> read_native(std::string_view bytes, AnyBatch& batch) {
    return std::visit(
        [&](auto& rows) -> Result<void> {
            Reader in(bytes);
            while (!in.done()) OBS_TRY_VOID(read_block(in, rows));
            return {};
        },
        batch);
}

Result<void> read_native(std::string_view bytes, Table& table) {
    Reader in(bytes);
    while (!in.done()) OBS_TRY_VOID(read_block(in, table));
    return {};
}

}  // namespace obs
