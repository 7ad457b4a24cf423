"""The passwords of at least eight characters that are tried first against any account, case-folded."""

from __future__ import annotations

COMMON_PASSWORDS = frozenset(
    """
    00000000 000000000 0123456789 01234567 0987654321 10203040 11111111 111111111 1111111111 11112222 11223344 12121212
    12341234 1234512345 12345678 123456789 1234567890 12345678910 1234567891 123456789a 123456789q 12345678a 12345679
    1234abcd 1234qwer 123123123 123321123 123454321 123456aa 123456ab 123456abc 1234567a 12344321 13131313 147258369
    1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc 1qazxsw2 19841984 20002000 21212121 22222222 23232323
    246813579 25802580 31415926 33333333 44444444 55555555 66666666 69696969 77777777 78945612 789456123 87654321
    88888888 987654321 9876543210 98765432 99999999 a1234567 a12345678 a1b2c3d4 aa123456 aaaaaaaa abc12345 abc123456
    abcd1234 abcdefgh abcdefg1 access14 admin123 admin1234 administrator adminadmin alexande alexander america1
    asd123456 asdasdasd asdf1234 asdfasdf asdfghjk asdfghjkl azertyui azertyuiop babygirl baseball basketball
    bigdaddy blink182 bismillah brooklyn butterfly carolina changeme changeme1 charlie1 charlotte chelsea1 chocolate
    christian christin cocacola colorado computer corvette danielle december dolphins dragon123 drowssap einstein
    elephant extreme1 facebook fernando firebird football football1 forever1 fuckyou1 garfield godzilla goodluck
    google123 guitar12 hannover hellohello hello123 hellokitty helpme123 homelesspa iloveyou iloveyou1 iloveyou2
    iloveyou123 infinity internet jennifer jessica1 jesus123 jonathan jordan23 juventus kawasaki kimberly kristina
    letmein1 letmein123 liverpool lovelove loveyou1 maradona marlboro master123 maverick melissa1 mercedes metallica
    michael1 michelle midnight minecraft monkey12 monkey123 mountain mustang1 napoleon naruto123 nicholas november
    olivia123 p@ssw0rd p@ssword pa$$w0rd pa55word passw0rd passwort password password! password0 password01 password1
    password1! password12 password123 password1234 password2 password3 passwordpassword pakistan panasonic patricia
    peekaboo pictures platinum playboy1 pokemon1 porsche911 princess princess1 q1w2e3r4 q1w2e3r4t5 qazwsxed
    qazwsxedc qqqqqqqq qwaszx12 qweasdzxc qweqweqwe qwer1234 qwerasdf qwerqwer qwert123 qwert12345 qwerty12 qwerty123
    qwerty1234 qwerty12345 qwerty123456 qwertyui qwertyuiop qwertz123 qwertzui qwertzuiop rainbow1 redskins remember
    ricardo1 robotics rockstar samantha samsung1 sandiego scorpion scorpio1 sebastian secret12 secret123 security
    september serenity shopping skywalker slipknot snowball snowboard softball spiderman spongebob srinivas startrek
    starwars steelers stephanie student1 summer123 sunflower sunshine sunshine1 superman superman1 superstar survivor
    swordfish test1234 testtest testing1 testing123 thomas123 thunder1 tinkerbell trustno1 undertaker valentina
    valentine victoria voetbal1 warcraft warriors welcome1 welcome123 westside whatever william1 windows10 wolverine
    woaini1314 yankees1 yourmom1 zaq12wsx zaq1zaq1 zaqxswcde zxcvbnm1 zxcvbnm123 zxcvbnma zxczxczxc zzzzzzzz
    """.split()  # noqa: SIM905 - a list of three hundred quoted words would be harder to read and to extend
)
