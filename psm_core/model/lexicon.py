"""Lists of English words, by what they do in a sentence. Lists only, no logic."""

from __future__ import annotations


def listed(text: str) -> frozenset[str]:
    """The words of *text*, as a set."""
    return frozenset(text.split())


FUNCTION_WORDS = listed(
    "a about above after again all also am an and any are aren't as at be because "
    "been before being below between both but by can can't cannot could couldn't did "
    "didn't do does doesn't doing don't down during each else even ever few for from "
    "further get gets getting go goes going gonna got had hadn't has hasn't have "
    "haven't having he he'd he'll he's her here here's hers herself him himself his "
    "how how's i i'd i'll i'm i've if im in into is isn't it it'd it'll it's its "
    "itself ive just let let's me more most much my myself no nor not now of off on "
    "once one only or other our ours ourselves out over own quite really same she "
    "she'd she'll she's should shouldn't so some such than that that'd that'll that's "
    "thats the their theirs them themselves then there there's these they they'd "
    "they'll they're they've this those through to too u under until up us ur very "
    "was wasn't we we'd we'll we're we've were weren't what what's when when's where "
    "where's which while who who's whom why why's will with won't would wouldn't ya "
    "yall you you'd you'll you're you've your yours yourself yourselves"
)
"""Words that carry grammar and no content."""

TALK_WORDS = listed(
    "absolutely afternoon agree agreed ah ahh ahaha alright amazing anytime apology "
    "apologies appreciate aw aww awww awesome back best bet bless brilliant brb btw "
    "bud buddy bye byee catch cheers chat check congrats congratulations cool course "
    "cute damn day deal dear definitely delicious dude enjoy evening exactly "
    "excellent fab fair fantastic fine folks forgiven fun funny glad good goodbye "
    "goodnight gorgeous gosh gotcha great greetings guess guys ha hah haha hahaha "
    "hahahah happy hear hello hey heya hi hiya hm hmm hmmm hold hope huge huh idk "
    "incredible indeed interesting joking keep kidding kind kinda later lemme lol "
    "lmao long look looks love lovely luck lucky man mate maybe mean mhm mind mm mmm "
    "moment morning nah neat never nice night nope nothing oh ohh ok okay okey okie "
    "omg ooh oops ouch outstanding pal perfect phew please pleased pleasure posted "
    "problem proud rad rest right rofl safe same say says see seriously sleep slow "
    "soon sorry sound sounds spooky stay stuff super sure sweet take talk terrific "
    "thank thanks thankyou that'd thing think thx time today tomorrow tonight totally "
    "true ttyl tune ty typing ugh uh uhm um understood via wait weekend welcome well "
    "what's whatever whoa wicked wish woah woohoo wonderful word worries worry wow "
    "wtf yay yea yeah yep yes yo you're yup"
)
"""Words of greeting, thanks, agreement and parting; alone they say nothing."""

TALK_PHRASES = (
    r"you (?:too|rock|got (?:it|this)|bet|said it)",
    r"(?:we|you)(?:'ve)? got this",
    r"(?:that|it)(?:'s| is| was| sounds?| looks?) (?:so |really |very |pretty )*"
    r"(?:great|good|awesome|amazing|cool|nice|lovely|fun|exciting|interesting|hilarious"
    r"|funny|tough|hard|rough|true|right|fair|fine|important|inspiring|beautiful)",
    r"(?:is this|are you|you) (?:thing )?(?:on|there|still there|around|back)",
    r"(?:i'm|i am) (?:here|back|all ears|on it|not sure|so sorry|sorry|off)"
    r"(?: for you)?",
    r"how(?:'s| is| are| have| did)(?: it| you| everything| things| your day| life)+"
    r"(?: been| going| doing| go| today)*",
    r"what(?:'s| is) (?:up|new|going on|happening|next|first)",
    r"what(?: else)? can i do for you(?: today)?",
    r"(?:how|what) (?:can|may|could) i (?:help|assist|do)(?: you)?(?: with)?"
    r"(?: today)?",
    r"(?:is there )?anything else(?: i can (?:help|do))?(?: with| for you)*",
    r"(?:let me know|feel free|happy to help|glad to help|glad i could help)"
    r"(?: if you (?:need|have) .*| how it goes)?",
    r"(?:i )?(?:really )?appreciate (?:it|that|you|your .{0,30}|the .{0,30})",
    r"long time no (?:see|talk|chat)",
    r"(?:thanks|thank you|thx)(?: so much| a lot| a ton)? for (?:.{0,40})",
    r"(?:keep|carry) (?:it up|going|pushing|me posted)(?: on)?",
    r"no (?:worries|problem|idea|way|prob|rush)",
    r"(?:have|enjoy|good luck|all the best)(?: .{0,24})?",
    r"(?:can't wait|looking forward)(?: to (?:it|that|seeing .{0,12}))?",
    r"(?:off i go|got(?:ta| to) (?:go|run|dash)|have to (?:go|run|dash)|brb.*)",
    r"(?:bonjour|hola|ciao|salut|hallo|tsch[u\u00fc]ss|merci|danke|gracias|servus|moin)",
)
"""Clauses that are small talk though they hold other words; full matches."""

PRAISE = (
    r"congrat\w*|proud|amazing|awesome|inspir\w+|incredible|wonderful|fantastic|brave",
    r"talent\w*|support\w*|glad|sorry to hear|must(?:'ve| have| be| feel)|keep|believe",
    r"means? a lot|appreciate\w*|good luck|rock|deserve\w*|impress\w*|hang in there",
    r"wish\w*|enjoy|(?:great|nice|good) job|well done|way to go|good for you|strong",
    r"happy for|kind\w*|sweet|lovely|cool|great|beautiful|gorgeous|adorable|cute|nice",
    r"stunning|important|precious|motivat\w+|encourag\w+|welcome|take care|no doubt",
    r"thoughtful|passion\w*|dedicat\w+|looking forward|thank\w*|thx|dreams?",
)
"""Words of praise, comfort and encouragement."""

PRAISE_OPENERS = listed(
    "all and any appreciate awesome aw aww best bet big can't congrats "
    "congratulations cool definitely don't enjoy glad go good great hang have hope "
    "how it it's keep looking looks love lovely must never nice no oh proud so sorry "
    "sounds such sure take thank thanks that that's these they those what way wish "
    "wishing wow yeah yes"
)
"""Words that open a sentence about what the other one just said."""

WARMTH = (
    r"(?:i'm|i am|we're|i feel) (?:\w+ )*(?:proud|glad|happy|sorry|rooting|excited"
    r"|thrilled|grateful|thankful|lucky|here) (?:\w+ )*(?:you|your|u|hear)",
    r"i (?:\w+ )?(?:love|like|admire|believe in|appreciate|support|hope|know|bet|trust"
    r"|see|agree|respect|wish|imagine|understand) (?:\w+ )*(?:you|your|you're|you'll)",
    r"i (?:\w+ )?(?:agree|understand|appreciate|get it|know what)|i will",
    r"i'll (?:definitely )?(?:check|try|keep|do|be|let)",
)
"""How a speaker says something kind to the listener and nothing of themselves."""

OPENERS = listed(
    "actually ah also alright and anyway aww because besides btw but cool definitely "
    "fine finally first forgiven funny great ha haha hey hi hmm honestly huh i-mean "
    "indeed listen look luckily nah nice no nope now oh ok okay omg ooh perfect plus "
    "right sadly second seriously so sorry sure thanks then third true ugh uh um "
    "unfortunately wait well wow yeah yep yes yup"
)
"""Words a clause may open with that can go without changing what it says."""

KIN = listed(
    "mother mom mum mama father dad papa parents parent sister brother sibling "
    "siblings twin son daughter kid kids child children baby wife husband spouse "
    "partner fiancé fiancée fiance fiancee girlfriend boyfriend ex aunt uncle cousin "
    "niece nephew grandmother grandma granny oma nana grandfather grandpa opa "
    "grandparents grandson granddaughter stepmother stepfather stepson stepdaughter "
    "godmother godfather in-laws friend friends roommate flatmate housemate neighbour "
    "neighbor boss colleague coworker landlord landlady teacher doctor dentist "
    "therapist dog cat puppy kitten horse rabbit hamster parrot pet pets family"
)
"""Whom a person calls theirs: kin, friends, pets, and people of every day."""

HEDGES = (
    r"might|maybe|perhaps|possibly|probably|presumably|apparently|supposedly",
    r"(?<!in )(?<!of )(?<!by )(?<!since )(?<!until )(?-i:may)(?! \d)",
    r"could|would(?:n't)?|\w+'d|should|seems?|seemed|sort of|kind of|kinda|rumou?r",
    r"think(?:ing)? (?:of|about)|consider(?:ing|s)?|hop(?:e|es|ing)|wish(?:es|ing)?",
    r"wonder(?:ing|s)?|not (?:so |really |quite |entirely )?sure|unsure|in theory",
    r"i (?:guess|think|suppose|believe|reckon)|dream(?:s|ing)? of|toying with|tempted",
    r"(?:want|wants|wanted) to|wanna|plan(?:s|ning)? (?:to|on)|supposed to",
    r"if|unless|whether|almost|nearly",
)
"""Markers that what is said isn't held for certain, or isn't so yet."""

NEGATIONS = (
    r"not|never|no|none|nothing|nobody|nowhere|neither|nor|without|cannot|hardly|barely",
    r"\w+n't|(?:do|does|did|is|are|was|were|wo|ca|have|has)nt",
)
"""Markers that turn a sentence round."""

CHANGES = (
    r"moved|moving|relocated|started|starting|began|quit|stopped|gave up|given up|left",
    r"switched|changed|became|become|turned|retired|divorced|separated|broke up|sold",
    r"no longer|any ?more|used to|now|nowadays|these days|instead|again|back to|since",
    r"new|recently|just (?:got|became|moved|started|bought|adopted)|finally",
    r"from now on|got (?:married|engaged|divorced|a new|promoted|fired)|outgr[eo]wn?",
    r"ended|died|dead",
)
"""Markers that something is otherwise than before."""

DENIALS = (r"^(?:no|nope|nah|wrong)[,.!:]",)
"""How a turn begins that takes something back, unless a question came before it."""

CORRECTIONS = (
    r"^(?:well,? )?actually\b|\bactually,|^correction\b|^sorry,? i meant\b",
    r"\bi (?:already )?(?:told|said to) you\b|\bas i (?:said|told you)\b",
    r"\bi meant\b|\bi misspoke\b|\bscratch that\b|\bnot what i said\b",
    r"\bthat(?:'s| is| was) (?:wrong|not (?:right|true|correct|what))\b",
    r"\byou(?:'re| are) (?:wrong|mistaken)\b|\byou got (?:it|that) wrong\b",
)
"""Markers that a turn takes back what was said before."""

FORMER_CUES = (
    r"before|previous(?:ly)?|former(?:ly)?|used to|earlier|originally|back then|old",
    r"in the past|at first|initially",
)
"""Markers that a question asks for what holds no longer."""

PAST_CUES = (*FORMER_CUES, r"once|was|were|did|changed?|history|ever")
"""Markers that a question may ask for what holds no longer."""

MONTHS = (
    "january february march april may june july august september october november "
    "december jan feb mar apr jun jul aug sep sept oct nov dec"
)
"""Names of months, with their short forms."""

WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday"
"""Names of weekdays."""

NUMBER_WORDS = listed(
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty "
    "seventy eighty ninety hundred thousand million half dozen twice"
)
"""Numbers in words; "one" is left out, for it is mostly a pronoun."""

TRANSIENT = listed(
    "afraid angry able about bound available away back bored busy calm cold done "
    "early excited fine free glad good happy here home hungry hurt ill late lonely "
    "lost nervous new off ok okay out proud ready sad scared sick sleepy so sorry "
    "stressed sure surprised there thirsty tired upset well worried wrong great "
    "better meant lucky nearly"
)
"""Adjectives and adverbs behind "be" that tell of a mood or a moment."""
