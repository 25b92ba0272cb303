"""The same four functions in each language, and one that depends on more than its arguments."""

SOURCES = {
    "JavaScript": """
const LIMIT = 100;
function clamp(n) {
  if (n > LIMIT) return LIMIT;
  return n < 0 ? 0 : n;
}
function sumOfDigits(n) {
  let total = 0;
  n = Math.abs(clamp(n));
  while (n > 0) { total += n % 10; n = Math.floor(n / 10); }
  return total;
}
function initials(words) {
  return words.map((word) => word.charAt(0)).join(".");
}
let calls = [];
function stateful(n) { calls.push(n); return calls.length * n; }
""",
    "TypeScript": """
interface Point { x: number; y: number }
enum Color { Red, Green, Blue }
type Omit<T, K extends keyof T> = Pick<T, Exclude<keyof T, K>>;
type Side = Omit<Point, "y">;
const LIMIT: number = 100;
export function clamp(n: number): number {
  if (n > LIMIT) return LIMIT;
  return n < 0 ? 0 : n;
}
export function mirrored(point: Point, color: Color): Point {
  const side: Side = { x: color === Color.Blue ? -1 : 1 };
  return { x: point.y * side.x, y: clamp(point.x) };
}
export function initials(words: string[]): string {
  return words.map((word) => word.charAt(0)).join(".");
}
const calls: number[] = [];
export function stateful(n: number): number { calls.push(n); return calls.length * n; }
""",
    "Java": """
package org.example;
import java.util.ArrayList;
import java.util.List;
public final class Texts {
    private static final int LIMIT = 100;
    private static final List<Integer> CALLS = new ArrayList<>();
    private static int clamp(int n) {
        if (n > LIMIT) return LIMIT;
        return n < 0 ? 0 : n;
    }
    /** Sum the decimal digits of a number, which is brought between nought and a hundred before. */
    static long sumOfDigits(int n) {
        long total = 0;
        for (int left = clamp(n); left > 0; left /= 10) {
            total += left % 10;
        }
        return total;
    }
    public static String initials(List<String> words, char separator) {
        StringBuilder text = new StringBuilder();
        for (String word : words) {
            if (text.length() > 0) text.append(separator);
            if (!word.isEmpty()) text.append(word.charAt(0));
        }
        return text.toString();
    }
    static int stateful(int n) { CALLS.add(n);
        return CALLS.size() * n; }
    static void prints(String text) { System.out.println(text);
    }
}
""",
    "Go": """
package texts

import (
	"errors"
	"strings"
	"time"
)

const limit = 100

type Color int

const (
	Red Color = iota
	Green
)

func (c Color) Name() string {
	if c == Red {
		return "red"
	}
	return "green"
}

func clamp(n int) int {
	if n > limit {
		return limit
	}
	return max(n, 0)
}

func sumOfDigits(n int) (int, error) {
	if n < 0 {
		return 0, errors.New("negative")
	}
	total := 0
	for left := clamp(n); left > 0; left /= 10 {
		total += left % 10
	}
	return total, nil
}

func initials(words []string, color Color) string {
	var parts []string
	for _, word := range words {
		if word != "" {
			parts = append(parts, word[:1])
		}
	}
	return color.Name() + ":" + strings.Join(parts, ".")
}

var calls = map[int]int{}

func stateful(n int) int {
	calls[n]++
	return calls[n] * n
}

func now() int64 {
	return time.Now().Unix()
}
""",
    "C++": """
#include "local.h"
namespace texts {

constexpr int kLimit = 100;

enum class Color { Red, Green };

template <typename T>
T clamp_to(T value, T limit) {
    return value > limit ? limit : value;
}

static int sum_of_digits(int n) {
    int total = 0;
    for (int left = clamp_to(n, kLimit); left > 0; left /= 10) total += left % 10;
    return total;
}

std::string initials(const std::vector<std::string>& words, Color color) {
    std::string text = color == Color::Red ? "red:" : "green:";
    for (const auto& word : words) {
        if (!word.empty()) text += word[0];
    }
    return text;
}

int product(int a, int b) {
    int result = a * 1000000;
    return result * b;
}

int reads_behind_the_end(const std::vector<int>& values, int index) {
    int value = values[index];
    return value + index;
}

}  // namespace texts
""",
}
