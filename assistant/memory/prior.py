"""Neutral sentences in many languages: where a language's vectors lie before anything is known.

A multilingual embedder puts the language of a text before its meaning. Taking each language's
mean vector away undoes that; these sentences stand in for the mean until there are enough
memories, and for the mean of questions always.
"""

from __future__ import annotations

# ruff: noqa: RUF001 - other languages have punctuation of their own

STATEMENTS: dict[str, tuple[str, ...]] = {
    "en": (
        "The weather was nice, so we stayed outside for a while.",
        "I have a meeting tomorrow morning.",
        "She bought bread and milk on her way home.",
        "They talked about work and had dinner together.",
        "My friend likes music and reads a lot.",
        "Ok, that sounds good, see you later!",
    ),
    "fr": (
        "Il faisait beau, alors nous sommes restés dehors un moment.",
        "J'ai une réunion demain matin.",
        "Elle a acheté du pain et du lait en rentrant.",
        "Ils ont parlé du travail et dîné ensemble.",
        "Mon ami aime la musique et lit beaucoup.",
        "D'accord, ça me va, à plus tard !",
    ),
    "de": (
        "Das Wetter war schön, also blieben wir eine Weile draußen.",
        "Ich habe morgen früh eine Besprechung.",
        "Sie hat auf dem Heimweg Brot und Milch gekauft.",
        "Sie sprachen über die Arbeit und aßen zusammen.",
        "Mein Freund mag Musik und liest viel.",
        "Okay, klingt gut, bis später!",
    ),
    "es": (
        "Hacía buen tiempo, así que nos quedamos un rato fuera.",
        "Tengo una reunión mañana por la mañana.",
        "Ella compró pan y leche de camino a casa.",
        "Hablaron del trabajo y cenaron juntos.",
        "A mi amigo le gusta la música y lee mucho.",
        "Vale, me parece bien, ¡hasta luego!",
    ),
    "it": (
        "Il tempo era bello, così siamo rimasti fuori per un po'.",
        "Ho una riunione domani mattina.",
        "Ha comprato pane e latte tornando a casa.",
        "Hanno parlato di lavoro e cenato insieme.",
        "Al mio amico piace la musica e legge molto.",
        "Va bene, mi sembra ottimo, a dopo!",
    ),
    "pt": (
        "O tempo estava bom, então ficamos um pouco lá fora.",
        "Tenho uma reunião amanhã de manhã.",
        "Ela comprou pão e leite no caminho para casa.",
        "Eles falaram do trabalho e jantaram juntos.",
        "O meu amigo gosta de música e lê muito.",
        "Está bem, parece-me ótimo, até logo!",
    ),
    "nl": (
        "Het weer was mooi, dus we bleven een tijdje buiten.",
        "Ik heb morgenochtend een vergadering.",
        "Ze kocht brood en melk op weg naar huis.",
        "Ze praatten over het werk en aten samen.",
        "Mijn vriend houdt van muziek en leest veel.",
        "Oké, klinkt goed, tot later!",
    ),
    "ru": (
        "Погода была хорошая, и мы немного побыли на улице.",
        "Завтра утром у меня встреча.",
        "По дороге домой она купила хлеб и молоко.",
        "Они говорили о работе и вместе поужинали.",
        "Мой друг любит музыку и много читает.",
        "Хорошо, договорились, до скорого!",
    ),
    "zh": (
        "天气很好，所以我们在外面待了一会儿。",
        "我明天早上有个会议。",
        "她回家的路上买了面包和牛奶。",
        "他们谈了工作，一起吃了晚饭。",
        "我的朋友喜欢音乐，读很多书。",
        "好的，没问题，回头见！",
    ),
    "ja": (
        "天気が良かったので、しばらく外にいました。",
        "明日の朝、会議があります。",
        "彼女は帰り道にパンと牛乳を買いました。",
        "彼らは仕事の話をして、一緒に夕食を食べました。",
        "友達は音楽が好きで、よく本を読みます。",
        "わかりました、いいですね、また後で！",
    ),
    "ko": (
        "날씨가 좋아서 우리는 잠시 밖에 있었다.",
        "내일 아침에 회의가 있어요.",
        "그녀는 집에 오는 길에 빵과 우유를 샀다.",
        "그들은 일 이야기를 하고 함께 저녁을 먹었다.",
        "내 친구는 음악을 좋아하고 책을 많이 읽는다.",
        "네, 좋아요, 나중에 봐요!",
    ),
    "ar": (
        "كان الطقس جميلاً فبقينا في الخارج قليلاً.",
        "لدي اجتماع صباح الغد.",
        "اشترت الخبز والحليب في طريقها إلى البيت.",
        "تحدثوا عن العمل وتناولوا العشاء معاً.",
        "صديقي يحب الموسيقى ويقرأ كثيراً.",
        "حسناً، يبدو جيداً، أراك لاحقاً!",
    ),
    "hi": (
        "मौसम अच्छा था, इसलिए हम थोड़ी देर बाहर रहे।",
        "कल सुबह मेरी एक बैठक है।",
        "उसने घर लौटते समय रोटी और दूध खरीदा।",
        "उन्होंने काम की बात की और साथ में खाना खाया।",
        "मेरे दोस्त को संगीत पसंद है और वह बहुत पढ़ता है।",
        "ठीक है, अच्छा लगता है, बाद में मिलते हैं!",
    ),
}  # fmt: skip

QUESTIONS: dict[str, tuple[str, ...]] = {
    "en": ("What did we talk about?", "Where is it?", "When did that happen?", "Who was there?"),
    "fr": ("De quoi avons-nous parlé ?", "Où est-ce ?", "Quand est-ce arrivé ?", "Qui était là ?"),
    "de": ("Worüber haben wir gesprochen?", "Wo ist es?", "Wann war das?", "Wer war da?"),
    "es": ("¿De qué hablamos?", "¿Dónde está?", "¿Cuándo pasó eso?", "¿Quién estaba allí?"),
    "it": ("Di cosa abbiamo parlato?", "Dov'è?", "Quando è successo?", "Chi c'era?"),
    "pt": ("De que falámos?", "Onde está?", "Quando foi isso?", "Quem estava lá?"),
    "nl": ("Waar hebben we het over gehad?", "Waar is het?", "Wanneer was dat?", "Wie was er?"),
    "ru": ("О чём мы говорили?", "Где это?", "Когда это было?", "Кто там был?"),
    "zh": ("我们谈了什么？", "它在哪里？", "那是什么时候发生的？", "谁在那里？"),
    "ja": ("何の話をしましたか？", "それはどこですか？", "それはいつでしたか？", "誰がいましたか？"),
    "ko": ("우리는 무슨 이야기를 했나요?", "어디에 있나요?", "언제 그랬나요?", "누가 있었나요?"),
    "ar": ("عمّ تحدثنا؟", "أين هو؟", "متى حدث ذلك؟", "من كان هناك؟"),
    "hi": ("हमने क्या बात की?", "वह कहाँ है?", "वह कब हुआ?", "वहाँ कौन था?"),
}  # fmt: skip
