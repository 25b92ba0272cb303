"""Pairs of a reference answer and an answer in LaTeX, and whether they are the same.

Each kind was reported by users of some harness, or comes from how the problems' own solutions are written.
"""

SAME = r"""
\frac{1}{2} | \dfrac{1}{2}
\frac{1}{2} | \frac12
\frac{1}{2} | 1/2
\frac{1}{2} | 0.5
\frac{3}{4} | \tfrac34
0.5 | .5
0.75 | \frac{3}{4}
12 \text{ inches} | 12
12 | 12\text{ inches}
10 \mbox{ cm}^2 | 10
10 | 10\ \text{cm}^2
6\text{ square units} | 6
45^\circ | 45
45 | 45^{\circ}
45 | 45\degree
50\% | 50
50 | 50\%
\$5.40 | 5.40
5.40 | \$5.40
18 | \$18
1{,}200 | 1200
1200 | 1,200
1,000,000 | 1000000
1\,200 | 1200
\{1,2\} | \{2,1\}
\{1,2\} | \left\{1, 2\right\}
1,2 | 2, 1
3, 5, 7 | 3,5,7
\text{east} | \text{east}
\text{east} | east
\text{odd} | odd.
\text{Yes} | \text{yes}
\text{Monday} | Monday
\textbf{(C)} | C
\text{(C)} | C
C | (C)
\textbf{(C)} | \text{C}
[1,2] | x \in [1,2]
(1,2] | x\in(1,2]
2x+1 | f(x)=2x+1
2x+1 | f(x) = 1 + 2x
2x+1 | y = 2x+1
y=2x+1 | y=1+2x
y=2x+1 | 2x+1
2x-y+1=0 | y=2x+1
x=5 | 5
5 | x=5
x=5 | x = 5
(x+1)^2 | x^2+2x+1
x^2-1 | (x-1)(x+1)
x(x+1) | x^2+x
\sqrt{2} | \sqrt2
2\sqrt{2} | \sqrt{8}
2\sqrt2 | 2\cdot\sqrt{2}
\frac{\sqrt{2}}{2} | \frac{1}{\sqrt{2}}
\frac{\sqrt3}{3} | \frac{1}{\sqrt3}
5\sqrt{3} | 5 \cdot \sqrt{3}
4\pi | 4 \pi
\frac{\pi}{4} | \pi/4
\frac{\pi}{4} | \frac{1}{4}\pi
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} | \begin{bmatrix}1&2\\3&4\end{bmatrix}
\begin{pmatrix} 1 \\ 2 \end{pmatrix} | \begin{pmatrix}1\\2\end{pmatrix}
\begin{pmatrix} 1/2 \\ 2 \end{pmatrix} | \begin{pmatrix} \frac{1}{2} \\ 2 \end{pmatrix}
(-\infty,2)\cup(3,\infty) | (-\infty, 2) \cup (3, \infty)
(3,\infty)\cup(-\infty,2) | (-\infty, 2) \cup (3, \infty)
(2,\infty) | (2,+\infty)
[0,1) | \left[0,1\right)
3+4i | 4i+3
3+4i | 3 + 4 i
\pm 2 | 2,-2
\pm 2 | -2, 2
2, -2 | \pm 2
1 \pm \sqrt{2} | 1+\sqrt{2}, 1-\sqrt{2}
1\pm\sqrt2 | 1 \pm \sqrt{2}
2^{10} | 1024
1024 | 2^{10}
\log_2 3 | \log_{2}3
\log_2 8 | 3
(1,2) | (1, 2)
(1,2) | \left(1,2\right)
(\frac12, 3) | (0.5, 3)
(1,-2,3) | ( 1 , -2 , 3 )
-\frac{1}{2} | \frac{-1}{2}
-\frac{1}{2} | -0.5
3\frac{1}{2} | \frac{7}{2}
3\frac{1}{2} | 3.5
2 | 2.0
2 | 2.00
7 | 07
\binom{5}{2} | 10
5! | 120
x \le 3 | x\leq 3
x\geq 2 | x \ge 2
(0,4) | 0<x<4
[0,4] | 0 \le x \le 4
\frac{x+1}{2} | \frac{1}{2}(x+1)
\frac{x+1}{2} | \frac{1+x}{2}
e^{2} | e^2
\sin x | \sin(x)
1.5 | \frac{3}{2}
\frac{22}{7} | 22/7
11_2 | 11_{2}
2516_8 | 2516
2516_8 | 2516_{8}
10:30 | 10:30
\text{10 a.m.} | 10\text{ a.m.}
9:00 \text{ PM} | 9:00\text{ PM}
\emptyset | \varnothing
6x^2+5x+1 | (2x+1)(3x+1)
x^3 + 3x - 6 | x^3+3x-6
12 | 12.
12 | $12$
12 | \boldsymbol{12}
12 | \mathbf{12}
\frac{9}{\pi} | 9/\pi
\sqrt[3]{8} | 2
|x| | \left|x\right|
\overline{AB} | \overline{AB}
AB | AB
\ell | \ell
-2 | \u22122
\text{Ella} | Ella
\text{Navin} | \text{Navin}
11\sqrt2 | 11\sqrt{2}
0.\overline{3} | \frac{1}{3}
x+y | y+x
3.14 | 3.14
540^\circ | 540
\frac{5}{3}\text{ cm} | \frac53
5\text{ (units)} | 5
1:2 | 1:2
32,\!348 | 32348
\cot x | \cot x
"""
DIFFERENT = r"""
50\% | 0.5
50 | 5
[1,2] | (1,2)
[0,1) | (0,1]
1,2 | 12
(1,234) | 1234
(1,234) | (1234)
12 | 1,2
\text{east} | \text{seat}
CAT | ACT
AB | BA
\pi | 3.14
\pi | \frac{22}{7}
3\frac{1}{2} | \frac{3}{2}
(2,\infty) | (2,7)
5 | 5; 6
5 | 5 \ne 6
5 | 5,6
5 | 5 \text{ or } 6
x=5 | x=6
y=2x | y=3x
x\le3 | x<3
x\le3 | x\ge3
x<3 | x>3
\text{Monday} | \text{Friday}
\text{odd} | \text{even}
\text{Yes} | \text{No}
(1,2) | (2,1)
(1,2) | 1
(1,2,3) | (1,2)
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} | \begin{pmatrix} 1 & 2 \\ 4 & 3 \end{pmatrix}
\begin{pmatrix} 1 \\ 2 \end{pmatrix} | \begin{pmatrix} 1 & 2 \end{pmatrix}
\{1,2\} | \{1,3\}
\{1,2\} | \{1,2,3\}
\pm 2 | 2
2 | \pm 2
\frac{1}{2} | \frac{1}{3}
\frac{1}{2} | \frac{2}{1}
\sqrt{2} | 2
\sqrt{2} | 1.41
\sqrt{2} | 1.414
2^{10} | 20
2^{10} | 210
x^2 | x2
2x+1 | 2x-1
2x+1 | 2y+1
3+4i | 3-4i
3+4i | 7
-2 | 2
100 | 1000
1,000 | 1
0.33 | \frac{1}{3}
0.333 | \frac{1}{3}
10:30 | 20
1:2 | 2:1
2516_8 | 2516_7
11_2 | 3
\text{(C)} | \text{(D)}
C | D
A | a^2
\frac{\pi}{4} | \frac{4}{\pi}
4\pi | 4
(-\infty,2)\cup(3,\infty) | (-\infty,2)
(-\infty,2)\cup(3,\infty) | (-\infty,2]\cup(3,\infty)
[0,4] | 0 < x < 4
\sin x | \cos x
\log_2 3 | \log_3 2
e^2 | 2e
5! | 5
\binom{5}{2} | \frac{5}{2}
\text{Ella} | \text{Ellen}
7 | 7\frac{1}{2}
\emptyset | 0
\frac{x+1}{2} | x+1
45^\circ | 54^\circ
12 \text{ inches} | 21 \text{ inches}
x=5 | y=6
(0,4) | [0,4]
\text{10 a.m.} | \text{10 p.m.}
9:00 \text{ PM} | 9:00 \text{ AM}
5 | \text{five or six}
6 | 6x
x+1 | x+1+y
"""


def pairs(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.replace("\\u2212", "\u2212").splitlines() if line.strip()]
    return [tuple(side.strip() for side in line.rsplit(" | ", 1)) for line in lines]


PAIRS = [*((*pair, True) for pair in pairs(SAME)), *((*pair, False) for pair in pairs(DIFFERENT))]
