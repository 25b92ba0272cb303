// Stands before System.Diagnostics.Debug in name lookup: under mono, a failed assertion would print a line and go on.
using System;
using System.Runtime.CompilerServices;

static class Debug
{
    public static void Assert(bool condition) { Assert(condition, ""); }

    public static void Assert(bool condition, string message)
    {
        if (!condition) throw new Exception("Debug.Assert failed. " + message);
    }

    public static void Assert(bool condition, string message, string detail) { Assert(condition, message + " " + detail); }
    public static void Fail(string message) { Assert(false, message); }
    public static void Write(object value) { }
    public static void WriteLine(object value) { }
    public static void WriteLine(string format, params object[] values) { }
    public static void WriteIf(bool condition, object value) { }
    public static void WriteLineIf(bool condition, object value) { }
    public static void Print(string format, params object[] values) { }
    public static void Indent() { }
    public static void Unindent() { }
    public static void Flush() { }
}

// MultiPL-E's tests compare lists and dictionaries by Equals, which in C# asks whether they are the same object; so too
// null, which has no Equals, and tuples, which are never equal to those of another type: (long?, long?) to (long, long).
static class ByValue
{
    public static bool Same(object left, object right)
    {
        var pairs = left as System.Collections.IDictionary;
        var others = right as System.Collections.IDictionary;
        if (pairs != null && others != null)
        {
            if (pairs.Count != others.Count) return false;
            foreach (var key in pairs.Keys)
                if (!others.Contains(key) || !Same(pairs[key], others[key])) return false;
            return true;
        }
        var list = left as System.Collections.IList;
        var other = right as System.Collections.IList;
        if (list != null && other != null)
        {
            if (list.Count != other.Count) return false;
            for (int i = 0; i < list.Count; i++)
                if (!Same(list[i], other[i])) return false;
            return true;
        }
        var tuple = left as ITuple;
        var another = right as ITuple;
        if (tuple != null && another != null)
        {
            if (tuple.Length != another.Length) return false;
            for (int i = 0; i < tuple.Length; i++)
                if (!Same(tuple[i], another[i])) return false;
            return true;
        }
        return Equals(left, right);
    }
}
