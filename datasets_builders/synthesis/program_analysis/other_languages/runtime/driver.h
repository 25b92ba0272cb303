// Section 2.4: runs inside the sandbox: observes functions. The units stand behind this, each in a namespace.
#include <csetjmp>
#include <csignal>
#include <charconv>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

namespace observing {

struct TooManySteps {};
struct NoLiteral { const char* reason; };
struct FailedCheck {};

inline long long steps = 0, most = 0;
inline bool is_elsewhere = false;
inline std::size_t left_lying = 0;
constexpr std::size_t most_left_lying = 16 << 20;

// What a program reads of memory that is not yet or no longer its own is another thing in each run.
inline void spoil(void* memory) { std::memset(memory, is_elsewhere ? 0xA5 : 0x5A, malloc_usable_size(memory)); }
inline bool hits[4096];

inline void reset(long long bound) { steps = 0; most = bound; std::fill(std::begin(hits), std::end(hits), false); }
inline void count(int number) {
    if (number < 4096) hits[number] = true;
    if (++steps > most) throw TooManySteps{};
}

inline std::string quoted_text(std::string_view value, char mark) {
    std::string text(1, mark);
    for (unsigned char part : value) {
        if (part == static_cast<unsigned char>(mark) || part == '\\') { text += '\\'; text += static_cast<char>(part); }
        else if (part == '\n') text += "\\n";
        else if (part == '\t') text += "\\t";
        else if (part == '\r') text += "\\r";
        else if (part < 32 || part > 126) { char octal[8]; std::snprintf(octal, sizeof octal, "\\%03o", part); text += octal; }
        else text += static_cast<char>(part);
    }
    return text + mark;
}

template <typename T> std::string literal(const T& value);

template <typename T> std::string items(const T& value) {
    std::string text = "{";
    bool first = true;
    for (const auto& item : value) { if (!first) text += ", "; first = false; text += literal(item); }
    return text + "}";
}
template <typename T> std::string sorted_items(const T& value) {
    std::vector<std::string> texts;
    for (const auto& item : value) texts.push_back(literal(item));
    std::sort(texts.begin(), texts.end());
    std::string text = "{";
    for (std::size_t index = 0; index < texts.size(); ++index) text += (index ? ", " : "") + texts[index];
    return text + "}";
}
template <typename T> std::string number(T value) {
    if (std::isnan(value)) return "NAN";
    if (std::isinf(value)) return value > 0 ? "INFINITY" : "-INFINITY";
    char buffer[64];
    auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
    std::string text(buffer, end);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return std::is_same_v<T, float> ? text + "f" : text;
}

template <typename T, template <typename...> class C> struct is_a : std::false_type {};
template <template <typename...> class C, typename... A> struct is_a<C<A...>, C> : std::true_type {};
template <typename T> struct is_array : std::false_type {};
template <typename T, std::size_t N> struct is_array<std::array<T, N>> : std::true_type {};

template <typename T> std::string literal(const T& value) {
    if constexpr (std::is_same_v<T, bool>) return value ? "true" : "false";
    else if constexpr (std::is_same_v<T, char>) return quoted_text(std::string(1, value), '\'');
    else if constexpr (std::is_same_v<T, long double>) throw NoLiteral{"long double"};
    else if constexpr (std::is_floating_point_v<T>) return number(value);
    else if constexpr (std::is_integral_v<T>) {
        if constexpr (std::is_signed_v<T>) { if (value == std::numeric_limits<T>::min() && sizeof(T) >= 4) throw NoLiteral{"the smallest integer"}; }
        std::string text = std::to_string(value);
        if constexpr (std::is_unsigned_v<T>) { if (value > 2147483647ull) text += "u"; }
        return text;
    }
    else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) return quoted_text(value, '"');
    else if constexpr (std::is_same_v<std::decay_t<T>, const char*> || std::is_same_v<std::decay_t<T>, char*>) {
        const char* pointer = value;
        return pointer ? quoted_text(pointer, '"') : "nullptr";
    }
    else if constexpr (is_a<T, std::vector>::value || is_a<T, std::deque>::value || is_a<T, std::list>::value || is_a<T, std::set>::value
                       || is_a<T, std::map>::value || is_array<T>::value) return items(value);
    else if constexpr (is_a<T, std::unordered_map>::value || is_a<T, std::unordered_set>::value) return sorted_items(value);
    else if constexpr (is_a<T, std::pair>::value) return "{" + literal(value.first) + ", " + literal(value.second) + "}";
    else if constexpr (is_a<T, std::tuple>::value) {
        std::string text;
        std::apply([&text](const auto&... parts) { ((text += (text.empty() ? "" : ", ") + literal(parts)), ...); }, value);
        return "{" + text + "}";
    }
    else if constexpr (is_a<T, std::optional>::value) return value ? literal(*value) : std::string("std::nullopt");
    else throw NoLiteral{"type"};
}

struct Unit {
    int num_calls;
    std::string (*call)(int);
    void (*check)();
};
struct Seen { std::string status, value; long long steps = 0; std::string hits; };

// Of processor time: a backstop for what the count of blocks does not see.
inline void limit_seconds(int seconds) {
    itimerval timer{{0, 0}, {seconds, 0}};
    setitimer(ITIMER_PROF, &timer, nullptr);
}

inline sigjmp_buf crashed;
inline void on_signal(int number) { siglongjmp(crashed, number); }

inline std::string json(const std::string& text) {
    std::string line = "\"";
    for (unsigned char part : text) {
        if (part == '"' || part == '\\') { line += '\\'; line += static_cast<char>(part); }
        else if (part < 32 || part > 126) { char code[8]; std::snprintf(code, sizeof code, "\\u%04x", part); line += code; }
        else line += static_cast<char>(part);
    }
    return line + "\"";
}

inline Seen observe(const Unit& unit, int call, long long max_steps, std::size_t max_chars) {
    static Seen seen;
    seen = Seen{};
    reset(max_steps);
    limit_seconds(2);
    if (int number = sigsetjmp(crashed, 1)) {
        limit_seconds(0);
        return Seen{"raised", number == SIGFPE ? "SIGFPE" : number == SIGPROF ? "timeout" : "a crash"};
    }
    try { seen.value = unit.call(call); seen.status = "ok"; }
    catch (const TooManySteps&) { seen.status = "too_many_steps"; }
    catch (const NoLiteral& reason) { seen.status = "not_literal"; seen.value = reason.reason; }
    catch (const std::out_of_range&) { seen.status = "raised"; seen.value = "std::out_of_range"; }
    catch (const std::invalid_argument&) { seen.status = "raised"; seen.value = "std::invalid_argument"; }
    catch (const std::runtime_error&) { seen.status = "raised"; seen.value = "std::runtime_error"; }
    catch (...) { seen.status = "raised"; seen.value = "an exception"; }
    limit_seconds(0);
    if (seen.value.size() > max_chars) { seen.status = seen.status == "ok" ? "too_long" : seen.status; seen.value.clear(); }
    seen.steps = steps;
    for (int number = 0, shown = 0; number < 4096 && shown < 80; ++number) if (hits[number]) { seen.hits += (shown++ ? "," : "") + std::to_string(number); }
    return seen;
}

inline void run_unit(int number, const Unit& unit, int run, long long max_steps, std::size_t max_chars) {
    for (int signal_number : {SIGSEGV, SIGFPE, SIGABRT, SIGILL, SIGBUS, SIGTRAP, SIGPROF}) {
        struct sigaction action {};
        action.sa_handler = on_signal;
        action.sa_flags = SA_NODEFER;
        sigaction(signal_number, &action, nullptr);
    }
    const std::string start = "{\"run\": " + std::to_string(run) + ", \"unit\": " + std::to_string(number) + ", ";
    std::string said;
    std::vector<int> order(unit.num_calls);
    std::iota(order.begin(), order.end(), 0);
    if (run == 1) std::reverse(order.begin(), order.end());
    std::map<int, Seen> first;
    for (int call : order) first[call] = observe(unit, call, max_steps, max_chars);
    std::reverse(order.begin(), order.end());
    for (int call : order) {
        if (first[call].status != "ok") continue;
        Seen again = observe(unit, call, max_steps, max_chars);
        if (again.status != "ok" || again.value != first[call].value) { first[call].status = "impure"; first[call].value += ", then " + again.status + " " + again.value; }
    }
    for (const auto& [call, seen] : first)
        said += start + "\"call\": " + std::to_string(call) + ", \"status\": \"" + seen.status + "\", \"value\": " + json(seen.value)
              + ", \"steps\": " + std::to_string(seen.steps) + ", \"hits\": \"" + seen.hits + "\"}\n";
    if (unit.check) {
        std::string verdict = "passed";
        reset(max_steps * 10);
        limit_seconds(4);
        if (sigsetjmp(crashed, 1)) verdict = "raised";
        else {
            try { unit.check(); }
            catch (const FailedCheck&) { verdict = "assertion"; }
            catch (const TooManySteps&) { verdict = "too_many_steps"; }
            catch (...) { verdict = "raised"; }
        }
        limit_seconds(0);
        said += start + "\"check\": \"" + verdict + "\"}\n";
    }
    said += start + "\"done\": true}\n";
    for (std::size_t at = 0; at < said.size();) {
        ssize_t written = write(1, said.data() + at, said.size() - at);
        if (written <= 0) break;
        at += static_cast<std::size_t>(written);
    }
}

// Every unit runs in a process of its own, so that what it breaks is its own.
inline int observe_all(const std::vector<Unit>& units, long long max_steps, std::size_t max_chars) {
    for (int run = 0; run < 2; ++run) {
        if (run == 1) { setenv("TZ", "Asia/Kathmandu", 1); setenv("LANG", "tr_TR.UTF-8", 1); setenv("HOME", "/elsewhere", 1); }
        for (std::size_t step = 0; step < units.size(); ++step) {
            int number = static_cast<int>(run == 0 ? step : units.size() - 1 - step);
            pid_t child = fork();
            if (child == 0) {
                rlimit processor{10, 10};
                setrlimit(RLIMIT_CPU, &processor);
                is_elsewhere = run == 1;
                run_unit(number, units[static_cast<std::size_t>(number)], run, max_steps, max_chars);
                _exit(0);
            }
            int status = 0;
            waitpid(child, &status, 0);
            if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                std::string row = "{\"run\": " + std::to_string(run) + ", \"unit\": " + std::to_string(number) + ", ";
                row = row + "\"broken\": \"ends its process\"}\n" + row + "\"done\": true}\n";
                if (write(1, row.data(), row.size()) < 0) return 1;
            }
        }
    }
    return 0;
}

// Which order an unordered container has is the library's own affair: in the second run it is another.
template <typename Key> struct Hash {
    std::size_t operator()(const Key& key) const { return std::hash<Key>{}(key) ^ (is_elsewhere ? 0x9e3779b97f4a7c15ull : 0); }
};

}  // namespace observing

namespace std {
template <typename K, typename V, typename H = observing::Hash<K>, typename E = equal_to<K>, typename A = allocator<pair<const K, V>>>
using __observed_map = unordered_map<K, V, H, E, A>;
template <typename K, typename H = observing::Hash<K>, typename E = equal_to<K>, typename A = allocator<K>>
using __observed_set = unordered_set<K, H, E, A>;
}  // namespace std

void* operator new(std::size_t size) {
    void* memory = std::malloc(size);
    if (!memory) throw std::bad_alloc{};
    observing::spoil(memory);
    return memory;
}
void operator delete(void* memory) noexcept {
    if (!memory) return;
    observing::spoil(memory);
    // The allocator writes over the beginning of what it takes back: in the second run much is left lying.
    if (observing::is_elsewhere && observing::left_lying < observing::most_left_lying) observing::left_lying += malloc_usable_size(memory);
    else std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

#define unordered_map __observed_map
#define unordered_set __observed_set

constexpr void __step(int number) { if (!__builtin_is_constant_evaluated()) observing::count(number); }
#undef assert
#define assert(...) do { if (!(__VA_ARGS__)) throw observing::FailedCheck{}; } while (false)
